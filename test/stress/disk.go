//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// disk is a storage folder that can be harmed: a small file system of its own
// where the program may mount one, else a plain folder whose permissions can be
// taken away.
type disk struct {
	launcher *launcher
	path     string
	inodes   uint64
	mounted  bool
}

// newDisk mounts a tmpfs with room for that many codes, in the launcher's mount
// namespace: only there, and in the processes it starts, is it to be seen.
func newDisk(l *launcher, path string, codes int) (*disk, error) {
	d := &disk{launcher: l, path: path, inodes: uint64(20_000 + 3*codes)}
	if l.noMount != nil {
		return d, nil
	}
	options := fmt.Sprintf("mode=0700,uid=%d,gid=%d,size=%dk,nr_inodes=%d", nobody, nobody, 65_536+8*codes, d.inodes)
	err := l.do(func() error {
		return syscall.Mount("tmpfs", path, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, options)
	})
	if err != nil {
		return nil, fmt.Errorf("mounting a small tmpfs: %w", err)
	}
	d.mounted = true
	return d, nil
}

// unmount is only for order: the mount is gone with the program in any case.
func (d *disk) unmount() error {
	if !d.mounted {
		return nil
	}
	return d.launcher.do(func() error { return syscall.Unmount(d.path, syscall.MNT_DETACH) })
}

// diskFault is a fault that begins and ends.
type diskFault struct {
	name       string
	begin, end func() error
	shows      []answer // of bite
}

func (d *disk) fault(name string, begin, end func() error) diskFault {
	return diskFault{
		name: name, shows: diskAway,
		begin: func() error { return d.launcher.do(begin) },
		end:   func() error { return d.launcher.do(end) },
	}
}

// stubborn is a fault that cannot begin at times, by these errors: it is tried
// for a while, and given up with errNotNow.
func (d *disk) stubborn(name string, begin, end func() error, refusals ...error) diskFault {
	f := d.fault(name, begin, end)
	f.begin = func() error { return insist(insistence, func() error { return d.launcher.do(begin) }, refusals...) }
	return f
}

// noSpace leaves no block free: nothing can be written, but names can be made, so
// that codes are redeemed and no answer shows it.
func (d *disk) noSpace() diskFault {
	filler := filepath.Join(d.path, "filler")
	f := d.fault("disk full", func() error {
		f, err := os.OpenFile(filler, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer f.Close()
		return fill(f)
	}, func() error { return os.Remove(filler) })
	f.shows = nil
	return f
}

// fill makes a file as large as it can be, in ever smaller pieces: how much
// there is left is not told exactly.
func fill(f *os.File) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return err
	}
	var end int64
	for piece := int64(st.Bfree); piece > 0; {
		err := unix.Fallocate(int(f.Fd()), 0, end, piece*st.Bsize)
		switch {
		case errors.Is(err, unix.ENOSPC):
			piece /= 2
		case err != nil:
			return err
		default:
			end += piece * st.Bsize
		}
	}
	return nil
}

// noInodes leaves no name to be had: nothing can be made, not even a link.
func (d *disk) noInodes() diskFault {
	remount := func(inodes uint64) error {
		return syscall.Mount("", d.path, "", syscall.MS_REMOUNT, fmt.Sprintf("nr_inodes=%d", inodes))
	}
	return d.stubborn("no inodes", func() error {
		var st unix.Statfs_t
		if err := unix.Statfs(d.path, &st); err != nil {
			return err
		}
		return remount(st.Files - st.Ffree)
	}, func() error { return remount(d.inodes) }, unix.EINVAL) // fewer than are used by now
}

func (d *disk) readOnly() diskFault {
	return d.stubborn("read-only", func() error {
		return syscall.Mount("", d.path, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
	}, func() error { return syscall.Mount("", d.path, "", syscall.MS_REMOUNT, "") }, unix.EBUSY) // a file is open for writing
}

// insistence is how long a fault is tried for.
const insistence = 2 * time.Second

// errNotNow is a fault that the system does not let happen at the moment. A node
// that was stopped in the middle of a write keeps its file open for as long, and
// no file system goes read-only under that.
var errNotNow = errors.New("the system refuses the fault for now")

// insist repeats what fails in these ways, for a while, and in the end says so.
// It waits between the tries, so that others have the launcher's thread.
func insist(limit time.Duration, f func() error, refusals ...error) error {
	deadline := time.Now().Add(limit)
	for {
		err := f()
		if !slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(err, refusal) }) {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: %w", errNotNow, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// noAccess takes all permissions from the folder: no record can be read.
func (d *disk) noAccess() diskFault {
	return d.fault("permissions lost", func() error { return os.Chmod(d.path, 0) }, func() error { return os.Chmod(d.path, 0o700) })
}

// noWriting takes the permission to write from the folders of used-markers:
// records can be read, but no code claimed. It cannot begin where there are none.
func (d *disk) noWriting() diskFault {
	const name = "permission to claim lost"
	return d.fault(name, func() error {
		n, err := changeMarkers(d.path, 0o500)
		if err == nil && n == 0 {
			return fmt.Errorf("%w: nothing was claimed yet", errNotNow)
		}
		return err
	}, func() error {
		_, err := changeMarkers(d.path, 0o700)
		return err
	})
}

// changeMarkers gives the folders of used-markers, and the folder they are made
// in, that mode, and returns how many it has changed.
func changeMarkers(path string, mode fs.FileMode) (n int, err error) {
	err = filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		marked := filepath.Base(name) == "used" || filepath.Base(filepath.Dir(name)) == "used"
		if err == nil && entry.IsDir() && marked {
			if err = os.Chmod(name, mode); err == nil {
				n++
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has just been swept
		}
		return err
	})
	return n, err
}
