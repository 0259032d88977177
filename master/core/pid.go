package core

import (
	"strconv"
	"strings"
	"time"
)

// processOf is the part of a UPID before the `@`, for example `slave(1)`.
func processOf(pid string) string {
	id, _, _ := strings.Cut(pid, "@")
	return id
}

// portOf is the port of a UPID.
func portOf(pid string) int32 {
	n, err := strconv.ParseUint(pid[strings.LastIndexByte(pid, ':')+1:], 10, 16)
	if err != nil {
		return 0
	}
	return int32(n)
}

// durationText is a duration in the words of the original's Duration: the largest
// unit not above it, or the next smaller one if only that is whole.
func durationText(d time.Duration) string {
	units := []struct {
		name string
		size time.Duration
	}{
		{"weeks", 7 * 24 * time.Hour}, {"days", 24 * time.Hour}, {"hrs", time.Hour}, {"mins", time.Minute},
		{"secs", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", 1},
	}
	size := d
	if size < 0 {
		size = -size
	}
	for i, u := range units {
		if size < u.size && u.size > 1 {
			continue
		}
		if d%u.size != 0 && i+1 < len(units) && d%units[i+1].size == 0 {
			u = units[i+1]
		}
		return strconv.FormatFloat(float64(d)/float64(u.size), 'g', 15, 64) + u.name
	}
	return "0ns"
}
