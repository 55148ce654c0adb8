package storage

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
)

// failures tells of operations of a storage that failed.
type failures struct {
	failed func(operation string, err error)
}

// failure returns err without the key in its text and tells of it. That a key
// is absent is an answer. Once ctx has ended it says nothing: nobody waits any
// more, and call tells whether that was the storage's doing.
func (f failures) failure(ctx context.Context, operation, key string, err error) error {
	if err == nil {
		return nil
	}
	err = hideKey(err, key)
	if !errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
		f.failed(operation, err)
	}
	return err
}

// hiddenKey is an error of a storage whose text does not name the key: it
// would tell where a live code's record is.
type hiddenKey struct {
	name  string
	cause error
}

func hideKey(err error, key string) error {
	name := path.Base(key)
	if !recordName(name) {
		return err
	}
	return &hiddenKey{name: name, cause: err}
}

func (e *hiddenKey) Error() string { return strings.ReplaceAll(e.cause.Error(), e.name, "…") }
func (e *hiddenKey) Unwrap() error { return e.cause }
