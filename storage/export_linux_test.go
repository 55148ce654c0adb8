package storage

// LocalMagic reports whether a file system is one that only this kernel writes.
func LocalMagic(magic uint32) bool { return localMagic(magic) }

// IsLocal reports whether a folder is on a file system that only this kernel
// writes.
func IsLocal(dir string) bool { return isLocal(dir) }

// BootID names the running start of the operating system.
func BootID() string { return bootID() }

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error { return operatingSystem{}.SyncDir(dir) }
