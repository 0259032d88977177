package store

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// holder says which process has the lock of the file at path, as " (pid 123)",
// or "" where the system does not tell.
func holder(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	// A line reads "1: FLOCK  ADVISORY  WRITE 123 08:01:4711 0 EOF". The device is
	// left out of the comparison: file systems made of several show another one.
	inode := fmt.Sprintf(":%d", stat.Ino)
	for line := range bytes.Lines(locks) {
		fields := strings.Fields(string(line))
		if len(fields) >= 6 && fields[1] == "FLOCK" && strings.HasSuffix(fields[5], inode) {
			return " (pid " + fields[4] + ")"
		}
	}
	return ""
}
