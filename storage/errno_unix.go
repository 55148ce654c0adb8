//go:build unix

package storage

import (
	"errors"
	"syscall"
)

// cannotLink reports that the file system has no hard links for these names.
// Linux answers EPERM where there are none, as well as where it protects files
// of others.
func cannotLink(err error) bool {
	return isOneOf(err, syscall.EPERM, syscall.EXDEV, syscall.EMLINK, syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.ENOTSUP)
}

// changedNothing reports that a system call that makes a name was refused
// before it made one.
func changedNothing(err error) bool {
	return isOneOf(err, syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE,
		syscall.ENFILE, syscall.ENOMEM, syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG)
}

func isOneOf(err error, numbers ...syscall.Errno) bool {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return false
	}
	for _, n := range numbers {
		if n == number {
			return true
		}
	}
	return false
}
