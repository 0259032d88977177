package fetcher

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// FuzzUntar extracts anything into a sandbox that lies in a directory of which nothing else may change.
func FuzzUntar(f *testing.F) {
	f.Add([]byte("not an archive"))
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		sandbox := filepath.Join(outer, "sandbox")
		if err := os.Mkdir(sandbox, 0o755); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(sandbox)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		_ = untar(root, bytes.NewReader(data))
		onlySandbox(t, outer, sandbox)
	})
}

// FuzzUnzip does the same with zip archives.
func FuzzUnzip(f *testing.F) {
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		sandbox := filepath.Join(outer, "sandbox")
		if err := os.Mkdir(sandbox, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(sandbox, "a.zip")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(sandbox)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		archive, err := root.Open("a.zip")
		if err != nil {
			t.Fatal(err)
		}
		defer archive.Close()
		_ = unzip(root, archive)
		onlySandbox(t, outer, sandbox)
	})
}

func onlySandbox(t *testing.T, outer, sandbox string) {
	t.Helper()
	entries, err := os.ReadDir(outer)
	if err != nil || len(entries) != 1 {
		t.Fatalf("beside the sandbox: %v, %v", entries, err)
	}
	// So that the temporary directory can be removed.
	_ = filepath.WalkDir(sandbox, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return nil
	})
}
