// Package level names the releases of Marathon whose output can be rendered for clients
// that were written for them. It holds no shapes itself: whoever writes JSON asks it.
package level

import (
	"fmt"
	"strconv"
	"strings"
)

// Level is a release, such as 1.4. The zero value is Present.
type Level int

// Present is the last release, whose shapes are the default.
const Present Level = 0

// Of makes the level of a release.
func Of(major, minor, patch int) Level { return Level(major*1_000_000 + minor*1_000 + patch) }

// The releases that changed what clients see. Output of a release in between looks like
// that of the one before it.
const (
	V0_8    Level = 8_000
	V0_11   Level = 11_000
	V0_13   Level = 13_000
	V0_14   Level = 14_000
	V0_15   Level = 15_000
	V1_0    Level = 1_000_000
	V1_1    Level = 1_001_000
	V1_1_2  Level = 1_001_002
	V1_4    Level = 1_004_000
	V1_5    Level = 1_005_000
	V1_6    Level = 1_006_352
	V1_8    Level = 1_008_000
	V1_9    Level = 1_009_000
	Jackson Level = 1_009_100
	V1_10   Level = 1_010_000
)

// Parse reads a release, with or without its patch number: 0.8 to 1.10. "" is Present.
func Parse(text string) (Level, error) {
	if text == "" {
		return Present, nil
	}
	wrong := fmt.Errorf("%q is no release between 0.8 and 1.10, such as 1.4 or 1.9.81", text)
	parts := strings.Split(strings.TrimPrefix(text, "v"), ".")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, wrong
	}
	numbers := [3]int{}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 16)
		if err != nil || n > 999 {
			return 0, wrong
		}
		numbers[i] = int(n)
	}
	level := Of(numbers[0], numbers[1], numbers[2])
	if level < V0_8 || level >= Of(1, 11, 0) || numbers[0] == 0 && numbers[1] > 99 {
		return 0, wrong
	}
	return level, nil
}

// Before tells whether the release is older than another one.
func (l Level) Before(other Level) bool { return l != Present && l < other }
