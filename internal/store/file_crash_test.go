package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"stoa/internal/parts"
	"stoa/internal/store"
)

// The tests of this file run the test binary once more as a process that they
// kill or starve. What that process does is named by this variable.
const roleVariable = "STOA_STORE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "writer":
		writeUntilKilled(os.Getenv("STOA_STORE_TEST_PATH"))
	case "full":
		fillTheDisk(os.Getenv("STOA_STORE_TEST_PATH"))
	default:
		os.Exit(m.Run())
	}
}

// child is the test binary in another role.
func child(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, "STOA_STORE_TEST_PATH="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

const (
	crashWriters = 4
	crashRounds  = 40
)

// A batch of a writer: three records that belong together, one of them large
// enough for pages of its own, and the writer's counter, moved on from the
// version it had.
func crashBatch(writer, n int, counter int64) []store.Op {
	text := fmt.Sprintf("%d of writer %d", n, writer)
	prefix := fmt.Sprintf("w%d/%08d/", writer, n)
	return []store.Op{
		store.Put(prefix+"a", []byte(text)),
		store.Put(prefix+"b", []byte(strings.Repeat(text, 700))),
		store.Put(prefix+"c", []byte(text)),
		{Key: fmt.Sprintf("counter/%d", writer), Value: []byte(fmt.Sprint(n)), Expect: counter},
	}
}

// writeUntilKilled continues every writer where it left off and tells on
// stdout which batch was acknowledged.
func writeUntilKilled(path string) {
	f, err := store.OpenFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for writer := range crashWriters {
		wg.Go(func() {
			n, version := 0, store.Absent
			if r, err := f.Get(context.Background(), fmt.Sprintf("counter/%d", writer)); err == nil {
				fmt.Sscan(string(r.Value), &n)
				version = r.Version
			}
			for {
				n++
				versions, err := f.Apply(context.Background(), crashBatch(writer, n, version)...)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				version = versions[3]
				// One line is one system call: it is there as a whole or not at all.
				fmt.Printf("%d %d\n", writer, n)
			}
		})
	}
	wg.Wait()
}

func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stoa.db")
	var acknowledged [crashWriters]int
	for round := range crashRounds {
		cmd := child(t, "writer", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The child writes on while we read, so that the kill comes at any moment.
		last := rand.IntN(60)
		lines := bufio.NewScanner(out)
		for count := 0; lines.Scan(); count++ {
			var writer, n int
			if _, err := fmt.Sscan(lines.Text(), &writer, &n); err != nil {
				t.Fatalf("round %d: %q: %v", round, lines.Text(), err)
			}
			if n <= acknowledged[writer] {
				t.Fatalf("round %d: writer %d acknowledges %d after %d", round, writer, n, acknowledged[writer])
			}
			acknowledged[writer] = n
			if count == last {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("round %d: the writer ended by itself: %v", round, err)
		}
		checkAfterCrash(t, path, acknowledged)
		if t.Failed() {
			t.Fatalf("after round %d", round)
		}
	}
	total := 0
	for _, n := range acknowledged {
		total += n
	}
	t.Logf("%d batches acknowledged over %d kills", total, crashRounds)
}

func checkAfterCrash(t *testing.T, path string, acknowledged [crashWriters]int) {
	t.Helper()
	f, err := store.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	there := values(t, f, "")
	for writer := range crashWriters {
		count := 0
		if text, ok := there[fmt.Sprintf("counter/%d", writer)]; ok {
			fmt.Sscan(text, &count)
			delete(there, fmt.Sprintf("counter/%d", writer))
		}
		if count < acknowledged[writer] {
			t.Errorf("writer %d was told of %d, the store has %d", writer, acknowledged[writer], count)
		}
		for n := 1; n <= count; n++ {
			for _, op := range crashBatch(writer, n, 0)[:3] {
				if there[op.Key] != string(op.Value) {
					t.Errorf("%s of batch %d is missing or wrong", op.Key, n)
				}
				delete(there, op.Key)
			}
		}
	}
	for key := range there {
		t.Errorf("%s is part of no complete batch", key)
	}
}

func TestAStoreKilledWhileItIsMadeCanBeMadeAgain(t *testing.T) {
	for round := range 20 {
		path := filepath.Join(t.TempDir(), "stoa.db")
		cmd := child(t, "writer", path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Kill it once it has begun, and every other time once it has finished.
		wait := path + ".new"
		if round%2 == 1 {
			wait = path
		}
		for {
			if _, err := os.Stat(wait); !errors.Is(err, fs.ErrNotExist) {
				break
			}
			if _, err := os.Stat(path); err == nil {
				break // made while we looked away
			}
			runtime.Gosched()
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		checkAfterCrash(t, path, [crashWriters]int{})
	}
}

func TestWhatACrashLeftOfANewStoreIsReplaced(t *testing.T) {
	for name, left := range map[string][]byte{"nothing": nil, "zeros": make([]byte, 16384), "part": []byte("x")} {
		path := filepath.Join(t.TempDir(), "stoa.db")
		if err := os.WriteFile(path+".new", left, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := store.OpenFile(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		apply(t, f, store.Put("k", nil))
		f.Close()
	}
}

func TestAFullDiskIsReportedAndWorkGoesOnWhenThereIsRoom(t *testing.T) {
	t.Run("file size limit", func(t *testing.T) {
		runFull(t, child(t, "full", filepath.Join(t.TempDir(), "stoa.db")))
	})
	t.Run("file system", func(t *testing.T) {
		cmd := child(t, "full", filepath.Join(t.TempDir(), "stoa.db"))
		cmd.Env = append(cmd.Env, "STOA_STORE_TEST_MOUNT=1")
		// Its own mount table, and the right to change it.
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		runFull(t, cmd)
	})
}

// cannotMount is the exit code of a child that may not make a small file system.
const cannotMount = 77

func runFull(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == cannotMount, errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSPC):
		parts.Missing(t, "root", "this machine does not let us mount a small file system")
	case err != nil:
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}

// fillTheDisk writes until there is no room, makes room, and writes on.
func fillTheDisk(path string) {
	fail := func(format string, args ...any) {
		fmt.Printf(format+"\n", args...)
		os.Exit(1)
	}
	dir := filepath.Dir(path)
	limit := func(bytes uint64) {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: ^uint64(0)}); err != nil {
			fail("setrlimit: %v", err)
		}
	}
	mounted := os.Getenv("STOA_STORE_TEST_MOUNT") != ""
	makeRoom := func() { limit(^uint64(0)) }
	if mounted {
		mount := func(flags uintptr, size string) error {
			return syscall.Mount("tmpfs", dir, "tmpfs", flags, "size="+size)
		}
		if err := mount(0, "2m"); err != nil {
			os.Exit(cannotMount)
		}
		makeRoom = func() {
			if err := mount(syscall.MS_REMOUNT, "64m"); err != nil {
				fail("remount: %v", err)
			}
		}
	} else {
		limit(2 << 20)
	}
	f, err := store.OpenFile(path)
	if err != nil {
		fail("open: %v", err)
	}
	ctx := context.Background()
	value := []byte(strings.Repeat("x", 20_000))
	written := 0
	for ; written < 1000; written++ {
		_, err = f.Apply(ctx, store.Put(fmt.Sprintf("%04d/a", written), value), store.Put(fmt.Sprintf("%04d/b", written), value))
		if err != nil {
			break
		}
	}
	if !errors.Is(err, store.ErrFull) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), path) {
		fail("after %d batches: %v", written, err)
	}
	message := err.Error()
	expect := func(when string, n int) {
		records, err := f.List(ctx, "")
		if err != nil || len(records) != 2*n {
			fail("%s: %d records, want %d (%v)", when, len(records), 2*n, err)
		}
	}
	expect("full", written)
	// Still full: still an error, and still nothing lost.
	if _, err := f.Apply(ctx, store.Put("more", []byte(strings.Repeat("x", 4<<20)))); !errors.Is(err, store.ErrFull) {
		fail("a second time: %v", err)
	}
	expect("full again", written)
	makeRoom()
	for range 50 {
		if _, err := f.Apply(ctx, store.Put(fmt.Sprintf("%04d/a", written), value), store.Put(fmt.Sprintf("%04d/b", written), value)); err != nil {
			fail("with room again: %v", err)
		}
		written++
	}
	expect("with room", written)
	if err := f.Close(); err != nil {
		fail("close: %v", err)
	}
	if f, err = store.OpenFile(path); err != nil {
		fail("reopen: %v", err)
	}
	expect("reopened", written)
	fmt.Printf("%d batches, then: %s", written, message)
}
