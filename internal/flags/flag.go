// Package flags reads the configuration of a daemon the way its original and
// the original's packages do: command line, environment, directories with a
// file per flag, and shell files under /etc/default.
//
// Comes in: a table of flags, argument and environment lists, a root directory.
// Goes out: typed Values with their text forms. It never starts anything, and it
// keeps no state between calls.
package flags

import (
	"fmt"
	"time"
)

// Kind is the type of a flag's value.
type Kind int

// The kinds. Their text forms are the originals': a Duration is "15secs", Bytes is
// "2GB", a Millis or Seconds is a bare integer.
const (
	// String takes any text; "file:///path" stands for the content of that file.
	String Kind = iota
	// Path takes a file or directory name; "file:///path" stays as it is.
	Path
	// Bool is true or false (1 or 0). The bare name means true.
	Bool
	// Int is a decimal integer.
	Int
	// Float is a decimal number.
	Float
	// Duration is a number with one of the units ns us ms secs mins hrs days weeks.
	Duration
	// Bytes is an integer with one of the units B KB MB GB TB.
	Bytes
	// JSON takes JSON text, "file:///path", or a bare absolute path (deprecated).
	JSON
	// Millis is an integer count of milliseconds (Marathon).
	Millis
	// Seconds is an integer count of seconds (Marathon).
	Seconds
)

// Flag is one row of a daemon's table.
type Flag struct {
	Name string
	// Aliases are older names that still work; using one gives a warning.
	Aliases []string
	Kind    Kind
	// Default is the text form of the default value; with NoDefault the flag is unset.
	Default   string
	NoDefault bool
	// Help says in one line what the flag does, its unit and its limits.
	Help string
	// Gone is the reason why the original refuses this flag today. It is still
	// accepted, with a warning, so that old configurations start.
	Gone string
	// Check refuses values that the original refuses, with its text.
	Check func(v *Values) error
}

// Table is the flags of one daemon.
type Table struct {
	// Program is the name in the usage text.
	Program string
	// EnvPrefix begins the environment names, like "MESOS_".
	EnvPrefix string
	Flags     []Flag
}

// Setting is one flag with the text form of its value.
type Setting struct {
	Name  string
	Value string
}

// value is a flag's current value: its raw text after file:// was followed, and
// whether it was given or is the default.
type value struct {
	text  string
	isSet bool // has a value at all
	given bool // by the user
	raw   string
	read  bool
}

// Values is what Load found. The typed readers panic on a name that is not in the
// table or has another kind: that is a programming error.
type Values struct {
	table  *Table
	values map[string]*value
	// Warnings is what an operator should see in the log, one line each.
	Warnings []string
}

func (t *Table) find(name string) (*Flag, bool) {
	for i := range t.Flags {
		f := &t.Flags[i]
		if f.Name == name {
			return f, false
		}
		for _, a := range f.Aliases {
			if a == name {
				return f, true
			}
		}
	}
	return nil, false
}

func (v *Values) at(name string, kinds ...Kind) *value {
	f, _ := v.table.find(name)
	if f == nil {
		panic("flags: no flag " + name + " in the table of " + v.table.Program)
	}
	for _, k := range kinds {
		if f.Kind == k {
			val := v.values[f.Name]
			val.read = true
			return val
		}
	}
	panic(fmt.Sprintf("flags: flag %s is of kind %d", name, f.Kind))
}

// IsSet tells whether the flag has a value, given or default.
func (v *Values) IsSet(name string) bool {
	return v.at(name, String, Path, Bool, Int, Float, Duration, Bytes, JSON, Millis, Seconds).isSet
}

// Given tells whether the user gave the flag.
func (v *Values) Given(name string) bool {
	return v.at(name, String, Path, Bool, Int, Float, Duration, Bytes, JSON, Millis, Seconds).given
}

// String returns the text of a String, Path or JSON flag; "" when unset.
func (v *Values) String(name string) string { return v.at(name, String, Path, JSON).text }

// Bool returns the value of a Bool flag; false when unset.
func (v *Values) Bool(name string) bool {
	b, _ := parseBool(v.at(name, Bool).text)
	return b
}

// Int returns the value of an Int flag; 0 when unset.
func (v *Values) Int(name string) int {
	n, _ := parseInt(v.at(name, Int).text)
	return int(n)
}

// Float returns the value of a Float flag; 0 when unset.
func (v *Values) Float(name string) float64 {
	f, _ := parseFloat(v.at(name, Float).text)
	return f
}

// Duration returns the value of a Duration, Millis or Seconds flag; 0 when unset.
func (v *Values) Duration(name string) time.Duration {
	val := v.at(name, Duration, Millis, Seconds)
	f, _ := v.table.find(name)
	d, _ := durationOf(f.Kind, val.text)
	return d
}

// Bytes returns the value of a Bytes flag; 0 when unset.
func (v *Values) Bytes(name string) uint64 {
	n, _ := ParseBytes(v.at(name, Bytes).text)
	return n
}

// All returns every flag that has a value, in the order of the table, each in the
// text form that the original's /flags endpoint shows.
func (v *Values) All() []Setting {
	var out []Setting
	for _, f := range v.table.Flags {
		if val := v.values[f.Name]; val.isSet && f.Gone == "" {
			out = append(out, Setting{f.Name, canonical(f.Kind, val.raw)})
		}
	}
	return out
}

// Unread returns the names of flags that the user gave and nobody asked for: they
// have no effect, and the operator should be told.
func (v *Values) Unread() []string {
	var out []string
	for _, f := range v.table.Flags {
		if val := v.values[f.Name]; val.given && !val.read && f.Gone == "" {
			out = append(out, f.Name)
		}
	}
	return out
}
