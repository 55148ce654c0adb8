//go:build unix

package storage

import (
	"errors"
	"slices"
	"syscall"
)

// cannotLink reports that the file system has no hard links for these names.
// Linux answers EPERM where there are none, as well as where it protects files
// of others.
func cannotLink(err error) bool {
	number, ok := errors.AsType[syscall.Errno](err)
	return ok && slices.Contains([]syscall.Errno{syscall.EPERM, syscall.EXDEV, syscall.EMLINK, syscall.ENOSYS,
		syscall.EOPNOTSUPP, syscall.ENOTSUP}, number)
}

// changedNothing reports that a system call that makes a name was refused
// before it made one.
func changedNothing(err error) bool {
	number, ok := errors.AsType[syscall.Errno](err)
	return ok && slices.Contains([]syscall.Errno{syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.ENOSPC,
		syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOTDIR, syscall.ELOOP,
		syscall.ENAMETOOLONG}, number)
}
