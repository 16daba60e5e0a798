package crash

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPowerCut cuts the power of the disk under a child: the ext4 that its data
// directory is on loses whatever was not synced, views file included.
//
//	sudo go test ./tests/crash -run TestPowerCut
//	sudo METALOG_LONG=1 go test ./tests/crash -run TestPowerCut -timeout 1h -v
func TestPowerCut(t *testing.T) {
	disk := newLoopDisk(t)
	seed := newSeed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	total := map[kind]int{}
	var s *subject
	for round := range rounds(2, 60) {
		if round%crashesPerDir == 0 {
			disk.format()
			s = newSubject(filepath.Join(disk.dir, "data"), seed+uint64(round))
		}
		disk.mount()
		s.run(t, s.child(workers), cutAfter(disk, s.history, 1+r.IntN(1500), []kind{done, shown}[round%2], r.IntN(2) == 0))
		s.addCounts(total)
		disk.unmount()
		disk.mount()
		s.check(t)
		disk.unmount()
	}
	t.Logf("reports: %v", total)
}

// cutAfter gives a watch that cuts the power once the child has done so many
// commands and then reports what at asks for: an answer, or what a read saw,
// which may be the moment at which the next group is being synced. The child is
// killed then, as a cut would, or is left to see how everything that it tries
// fails.
//
// Only what was reported before the cut has to be there: ext4 lets an fsync that
// the cut overtakes return without an error now and then, though nothing of it
// was written. (Two threads that do nothing but write and fsync see it in one cut
// of 25, and never for an fsync that returned before the cut.)
func cutAfter(disk *loopDisk, h *history, commands int, at kind, kill bool) func(kind, *os.Process) {
	seen := 0
	return func(k kind, p *os.Process) {
		if k == done {
			seen++
		}
		if h.late || seen < commands || k != at {
			return
		}
		h.late = true
		disk.cut()
		if kill {
			_ = p.Kill()
		}
	}
}

// TestPowerCutLosesUnsynced is the test of the test: a cut that lost nothing
// would prove nothing.
func TestPowerCutLosesUnsynced(t *testing.T) {
	disk := newLoopDisk(t)
	disk.mount()
	disk.write("synced", true)
	disk.write("unsynced", false)
	disk.cut()
	disk.unmount()
	disk.mount()
	defer disk.unmount()
	if data, err := os.ReadFile(filepath.Join(disk.dir, "synced")); err != nil || string(data) != "synced" {
		t.Errorf("what was synced is not there: %q, %v", data, err)
	}
	if data, err := os.ReadFile(filepath.Join(disk.dir, "unsynced")); err == nil && string(data) == "unsynced" {
		t.Error("what was not synced is there")
	}
}

// loopDisk is an ext4 in a file, mounted by way of a loop device.
type loopDisk struct {
	t       *testing.T
	image   string
	dir     string // where it is mounted
	mounted bool
}

const loopDiskBytes = 256 << 20

// newLoopDisk makes a disk that goes with the test. Without the rights or the
// programs for it, the test is skipped.
func newLoopDisk(t *testing.T) *loopDisk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: a power cut needs root, to mount an ext4 of its own")
	}
	needPrograms(t, "mkfs.ext4", "losetup", "mount", "umount")
	base := t.TempDir()
	d := &loopDisk{t: t, image: filepath.Join(base, "disk.img"), dir: filepath.Join(base, "disk")}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d.format()
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: loop devices can't be mounted here: %v: %s", err, out)
	}
	d.mounted = true
	t.Cleanup(d.release)
	d.unmount()
	return d
}

// needPrograms skips the test when one of the programs is not there.
func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("SKIPPED: %v; install it to run this test", err)
		}
	}
}

// command runs a program that has to succeed.
func (d *loopDisk) command(name string, args ...string) {
	d.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// format makes an empty file system. The disk is not mounted then.
func (d *loopDisk) format() {
	d.t.Helper()
	if err := os.Truncate(d.image, 0); err != nil && !os.IsNotExist(err) {
		d.t.Fatal(err)
	}
	file, err := os.OpenFile(d.image, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := file.Truncate(loopDiskBytes); err != nil {
		d.t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		d.t.Fatal(err)
	}
	d.command("mkfs.ext4", "-q", "-F", d.image)
}

// mount mounts the disk, which replays its journal if need be. The loop device
// goes with the mount.
func (d *loopDisk) mount() {
	d.t.Helper()
	d.command("mount", "-o", "loop", d.image, d.dir)
	d.mounted = true
}

func (d *loopDisk) unmount() {
	d.t.Helper()
	d.command("umount", d.dir)
	d.mounted = false
}

// release lets go of the disk however the test has ended: a process that is
// about to die may still be on it, so it is detached first.
func (d *loopDisk) release() {
	if !d.mounted {
		return
	}
	if out, err := exec.Command("umount", "-l", d.dir).CombinedOutput(); err != nil {
		d.t.Errorf("umount: %v: %s", err, out)
	}
}

// From linux/ext4.h: shut a mounted ext4 down without writing its journal.
const (
	ext4Shutdown          = 0x8004587d // EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32)
	shutdownWithoutLogged = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
)

// cut stops the file system at once: nothing is written to the disk after it.
func (d *loopDisk) cut() {
	d.t.Helper()
	root, err := os.Open(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	defer root.Close() //nolint:errcheck // only read
	if err := unix.IoctlSetPointerInt(int(root.Fd()), ext4Shutdown, shutdownWithoutLogged); err != nil {
		d.t.Fatalf("shut down the file system: %v", err)
	}
}

// write writes a file with its name as content.
func (d *loopDisk) write(name string, sync bool) {
	d.t.Helper()
	file, err := os.Create(filepath.Join(d.dir, name))
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := file.WriteString(name); err != nil {
		d.t.Fatal(err)
	}
	if sync {
		if err := file.Sync(); err != nil {
			d.t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		d.t.Fatal(err)
	}
}
