package flags

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Units of Mesos durations, largest first; 3rdparty/stout/include/stout/duration.hpp.
var durationUnits = []struct {
	name string
	unit time.Duration
}{
	{"weeks", 7 * 24 * time.Hour},
	{"days", 24 * time.Hour},
	{"hrs", time.Hour},
	{"mins", time.Minute},
	{"secs", time.Second},
	{"ms", time.Millisecond},
	{"us", time.Microsecond},
	{"ns", time.Nanosecond},
}

// ParseDuration reads a Mesos duration such as "15secs" or "1.5hrs".
func ParseDuration(s string) (time.Duration, error) {
	i := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 {
		return 0, fmt.Errorf("Invalid duration '%s'", s)
	}
	n, err := strconv.ParseFloat(s[:i], 64)
	if err != nil {
		return 0, fmt.Errorf("Failed to convert '%s' to number", s[:i])
	}
	for _, u := range durationUnits {
		if u.name != s[i:] {
			continue
		}
		ns := n * float64(u.unit)
		if ns >= math.MaxInt64 {
			return 0, errors.New("Argument out of the range that a Duration can represent due to int64_t's size limit")
		}
		return time.Duration(ns), nil
	}
	return 0, fmt.Errorf("Unknown duration unit '%s'; supported units are 'ns', 'us', 'ms', 'secs', 'mins', 'hrs', 'days', and 'weeks'", s[i:])
}

// FormatDuration writes d the way the original prints a Duration: in the largest
// unit that is not above it, or one unit lower if only that gives a whole number.
func FormatDuration(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	if d == 0 {
		return "0ns"
	}
	for i, u := range durationUnits {
		if d < u.unit {
			continue
		}
		if i+1 < len(durationUnits) && d%u.unit != 0 && d%durationUnits[i+1].unit == 0 {
			u = durationUnits[i+1]
		}
		return sign + strconv.FormatFloat(float64(d)/float64(u.unit), 'g', 15, 64) + u.name
	}
	return "0ns"
}

var byteUnits = []string{"B", "KB", "MB", "GB", "TB"}

// ParseBytes reads a Mesos byte count such as "2GB"; units are powers of 1024.
func ParseBytes(s string) (uint64, error) {
	i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if i < 0 {
		return 0, fmt.Errorf("Invalid bytes '%s'", s)
	}
	if s[i] == '.' {
		return 0, fmt.Errorf("Fractional bytes '%s'", s)
	}
	n, err := strconv.ParseUint(s[:i], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("Failed to convert '%s' to number", s[:i])
	}
	unit := strings.ToUpper(s[i:])
	for p, name := range byteUnits {
		if name == unit {
			if n > math.MaxUint64>>(10*p) {
				return 0, fmt.Errorf("Bytes '%s' out of range", s)
			}
			return n << (10 * p), nil
		}
	}
	return 0, fmt.Errorf("Unknown bytes unit '%s'", unit)
}

// FormatBytes writes n in the largest unit that loses nothing.
func FormatBytes(n uint64) string {
	p := 0
	for n != 0 && n%1024 == 0 && p+1 < len(byteUnits) {
		n, p = n/1024, p+1
	}
	return strconv.FormatUint(n, 10) + byteUnits[p]
}

func parseBool(s string) (bool, error) {
	switch s {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, errors.New("Expecting a boolean (e.g., true or false)")
}

func parseInt(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, errors.New("Failed to convert into required type")
	}
	return n, nil
}

func parseFloat(s string) (float64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, errors.New("Failed to convert into required type")
	}
	return f, nil
}

func durationOf(k Kind, s string) (time.Duration, error) {
	if k == Duration {
		return ParseDuration(s)
	}
	n, err := parseInt(s)
	if err != nil {
		return 0, err
	}
	unit := time.Millisecond
	if k == Seconds {
		unit = time.Second
	}
	if n > math.MaxInt64/int64(unit) || n < math.MinInt64/int64(unit) {
		return 0, fmt.Errorf("%s is out of range", s)
	}
	return time.Duration(n) * unit, nil
}

// check refuses text that is not of the kind, in the original's words.
func check(k Kind, s string) error {
	var err error
	switch k {
	case Bool:
		_, err = parseBool(s)
	case Int:
		_, err = parseInt(s)
	case Float:
		_, err = parseFloat(s)
	case Duration, Millis, Seconds:
		_, err = durationOf(k, s)
	case Bytes:
		_, err = ParseBytes(s)
	}
	return err
}

// canonical is the text form that /flags shows for a valid value.
func canonical(k Kind, s string) string {
	switch k {
	case Bool:
		b, _ := parseBool(s)
		return strconv.FormatBool(b)
	case Duration:
		d, _ := ParseDuration(s)
		return FormatDuration(d)
	case Bytes:
		n, _ := ParseBytes(s)
		return FormatBytes(n)
	case Float:
		f, _ := parseFloat(s)
		return strconv.FormatFloat(f, 'g', 6, 64)
	}
	return s
}
