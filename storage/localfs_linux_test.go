package storage_test

import (
	"path/filepath"
	"testing"

	"github.com/authentiq/caddy-oidc-token/storage"
)

// A file system that is wrongly taken for local has its claims made by a link
// that is not synced, which is safe on one kernel only.
func TestLocalFileSystems(t *testing.T) {
	for _, row := range []struct {
		name  string
		magic uint32 // linux/magic.h and statfs(2)
		local bool
	}{
		{"REQ-104 NFS is a network", 0x6969, false},
		{"REQ-104 CIFS is a network", 0xff534d42, false},
		{"REQ-104 SMB2 is a network", 0xfe534d42, false},
		{"REQ-104 behind FUSE anything can be", 0x65735546, false},
		{"REQ-104 9p is another machine's", 0x01021997, false},
		{"REQ-104 OCFS2 is a cluster's", 0x7461636f, false},
		{"REQ-104 GFS2 is a cluster's", 0x01161970, false},
		{"REQ-104 Ceph is a cluster's", 0x00c36400, false},
		{"REQ-104 what is not known is not local", 0x12345678, false},
		{"ext2, ext3 and ext4 are local", 0xef53, true},
		{"XFS is local", 0x58465342, true},
		{"Btrfs is local", 0x9123683e, true},
		{"tmpfs is local", 0x01021994, true},
		{"overlayfs is local", 0x794c7630, true},
		{"ZFS is local", 0x2fc12fc1, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := storage.LocalMagic(row.magic); got != row.local {
				t.Errorf("local: %v", got)
			}
		})
	}
}

func TestWhatIsNotKnownIsNotLocal(t *testing.T) {
	for _, row := range []struct{ name, dir string }{
		{"a file system that keeps no files", "/proc"},
		{"a folder that does not exist", filepath.Join(t.TempDir(), "none")},
	} {
		t.Run(row.name, func(t *testing.T) {
			if storage.IsLocal(row.dir) {
				t.Error("it is taken for local")
			}
		})
	}
}
