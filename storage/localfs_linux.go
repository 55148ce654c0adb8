package storage

import "syscall"

// isLocal reports whether dir is on a file system that only this kernel
// writes. What is not known is taken for a network.
func isLocal(dir string) bool {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return false
	}
	return localMagic(uint32(st.Type))
}

// localMagic knows file systems by linux/magic.h. Cluster file systems (ocfs2,
// gfs2) and FUSE, 9p and virtiofs, behind which anything can be, are left out.
func localMagic(magic uint32) bool {
	switch magic {
	case 0xef53, // ext2, ext3, ext4
		0x58465342, // xfs
		0x9123683e, // btrfs
		0x01021994, // tmpfs
		0x858458f6, // ramfs
		0x794c7630, // overlay
		0x2fc12fc1, // zfs
		0xf2f52010, // f2fs
		0xca451a4e, // bcachefs
		0x3153464a, // jfs
		0x52654973, // reiserfs
		0x3434:     // nilfs2
		return true
	}
	return false
}
