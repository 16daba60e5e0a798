package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// machine is what the figures were measured on.
type machine struct {
	OS         string  `json:"os"`
	Arch       string  `json:"arch"`
	Cores      int     `json:"cores"`
	Go         string  `json:"go"`
	FileSystem string  `json:"file_system"` // of the directory
	FsyncMicro float64 `json:"fsync_p50_us"`
}

func (m machine) String() string {
	return fmt.Sprintf("%s/%s, %d cores, %s, %s, fsync p50 %.0f µs", m.OS, m.Arch, m.Cores, m.Go, m.FileSystem, m.FsyncMicro)
}

func lookAt(dir string) (machine, error) {
	fsync, err := fsyncP50(filepath.Join(dir, "fsync"))
	return machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.GOMAXPROCS(0), Go: runtime.Version(),
		FileSystem: fileSystem(dir), FsyncMicro: float64(fsync.Nanoseconds()) / 1e3,
	}, err
}

const fsyncs = 200

// fsyncP50 measures small appends that are synced one by one, to a file that goes.
func fsyncP50(path string) (_ time.Duration, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(path)) }()
	latency, entry := newHistogram(), make([]byte, guessedBytes)
	for range fsyncs {
		began := time.Now()
		if _, err := f.Write(entry); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		record(latency, time.Since(began))
	}
	return time.Duration(latency.ValueAtQuantile(50)), nil
}

// fileSystem is the type of what dir is on, where the system tells.
func fileSystem(dir string) string {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "file system not known"
	}
	found, best := "file system not known", ""
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line) // device, mount point, type, …
		if len(fields) < 3 || len(fields[1]) < len(best) {
			continue
		}
		if rest, ok := strings.CutPrefix(dir, strings.TrimSuffix(fields[1], "/")); ok && (rest == "" || rest[0] == '/') {
			best, found = fields[1], fields[2]
		}
	}
	return found
}
