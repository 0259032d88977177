package validation

import (
	"slices"
	"strconv"
	"strings"
)

// double is a number as C++ streams print it: six significant digits.
func double(v float64) string {
	s := strconv.FormatFloat(v, 'g', 6, 64)
	// Go writes e+06 as e+06 too, but keeps a one-digit exponent's zero as C++ does.
	return s
}

// bytesText is an amount of memory in the largest unit that loses nothing, from a
// number of megabytes in thousandths.
func bytesText(milliMB int64) string {
	n := milliMB * (1 << 20) / 1000
	units := []string{"B", "KB", "MB", "GB", "TB"}
	unit := 0
	for n != 0 && n%1024 == 0 && unit < len(units)-1 {
		n /= 1024
		unit++
	}
	return strconv.FormatInt(n, 10) + units[unit]
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
