// Package parts lets a test say that a real part it needs is not on the machine.
package parts

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Missing skips the test for want of a part ("docker", "root", ...), or fails it when
// the environment variable STOA_TEST_REQUIRE, a comma-separated list, names that part:
// where everything was installed on purpose, a skip would hide a broken set-up.
func Missing(t testing.TB, part, why string) {
	t.Helper()
	if slices.Contains(strings.Split(os.Getenv("STOA_TEST_REQUIRE"), ","), part) {
		t.Fatalf("%s is required here: %s", part, why)
	}
	t.Skip(why)
}
