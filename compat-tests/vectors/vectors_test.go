// Package vectors_test replays the vectors against the stoa binary.
package vectors_test

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"stoa/compat-tests/replay"
)

// load reads all vector files of this directory.
func load(t *testing.T) []*replay.Scenario {
	t.Helper()
	var scenarios []*replay.Scenario
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".json") {
			return err
		}
		scenario, err := replay.Load(path)
		if err != nil {
			t.Error(err)
			return nil
		}
		scenarios = append(scenarios, scenario)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return scenarios
}

func TestVectorFilesAreWellFormed(t *testing.T) {
	scenarios := load(t)
	if len(scenarios) == 0 {
		t.Fatal("no vectors")
	}
	names := make(map[string]string)
	for _, s := range scenarios {
		if s.Name == "" || s.About == "" {
			t.Errorf("%s: name and about say what it is", s.Path)
		}
		if other, taken := names[s.Name]; taken {
			t.Errorf("%s and %s have one name", other, s.Path)
		}
		names[s.Name] = s.Path
	}
}
