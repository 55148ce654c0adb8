//go:build !unix

package storage

import (
	"errors"
	"io/fs"
)

// cannotLink reports that the file system has no hard links for these names.
// Where errors are not known by number any error but a refusal may be one;
// exclusive create follows and is as good a claim.
func cannotLink(err error) bool { return !changedNothing(err) }

// changedNothing reports that a system call that makes a name was refused
// before it made one.
func changedNothing(err error) bool { return errors.Is(err, fs.ErrPermission) }
