//go:build darwin || freebsd

package storage

import "syscall"

// isLocal reports whether dir is on a file system that only this kernel
// writes. What is not known is taken for a network.
func isLocal(dir string) bool {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return false
	}
	name := make([]byte, 0, len(st.Fstypename))
	for _, c := range st.Fstypename {
		if c == 0 {
			break
		}
		name = append(name, byte(c))
	}
	switch string(name) {
	case "apfs", "hfs", "ufs", "zfs", "tmpfs":
		return true
	}
	return false
}
