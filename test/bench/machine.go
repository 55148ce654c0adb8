//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine is where figures come from.
type machine struct {
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	Kernel    string `json:"kernel"`
	Go        string `json:"go"`
	Node      string `json:"node,omitempty"`
	Redis     string `json:"redis,omitempty"`
	FileStore string `json:"file_system"`
}

func thisMachine(b *bench) machine {
	return machine{
		Processor: processor(),
		Cores:     runtime.NumCPU(),
		Kernel:    kernel(),
		Go:        runtime.Version(),
		Node:      output("node", "--version"),
		Redis:     redisVersion(),
		FileStore: fileSystem(b.dir),
	}
}

func (m machine) String() string {
	text := fmt.Sprintf("%s, %d cores, Linux %s, %s, files on %s", m.Processor, m.Cores, m.Kernel, m.Go, m.FileStore)
	if m.Node != "" {
		text += ", Node " + strings.TrimPrefix(m.Node, "v")
	}
	if m.Redis != "" {
		text += ", Redis " + m.Redis
	}
	return text
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// kernel is the version without what a distribution adds to it.
func kernel() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return ""
	}
	release := unix.ByteSliceToString(name.Release[:])
	parts := strings.SplitN(release, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

func fileSystem(dir string) string {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return ""
	}
	switch s.Type {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlay"
	}
	return fmt.Sprintf("a file system of type %#x", s.Type)
}

func redisVersion() string {
	for field := range strings.FieldsSeq(output("redis-server", "--version")) {
		if version, ok := strings.CutPrefix(field, "v="); ok {
			return version
		}
	}
	return ""
}

// output is what a command says; "" where there is none.
func output(name string, arguments ...string) string {
	text, err := exec.Command(name, arguments...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
