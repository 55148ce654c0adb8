package storage

// LocalMagic reports whether a file system is one that only this kernel writes.
func LocalMagic(magic uint32) bool { return localMagic(magic) }
