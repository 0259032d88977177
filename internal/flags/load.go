package flags

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Source is where Load takes values from. Values from Args win over Environ.
type Source struct {
	// Args are the arguments without the program name.
	Args []string
	// Environ is in the form of os.Environ.
	Environ []string
}

// given is one value as it was written, before the table is asked about it.
type given struct {
	name  string
	value string
	bare  bool // no "=value"
}

// ErrHelp is what Load returns when help was asked for.
var ErrHelp = errors.New("flags: help requested")

// Load reads a Mesos daemon's flags: 3rdparty/stout/include/stout/flags/flags.hpp.
// Arguments that do not begin with "--" are skipped, as there. Errors are in the
// words of the original, with the nearest name added for an unknown flag.
func (t *Table) Load(src Source) (*Values, error) {
	args := readArgs(src.Args)
	onLine := map[string]bool{}
	for _, g := range args {
		onLine[g.name] = true
	}
	for _, g := range t.readEnviron(src.Environ) {
		// The command line hides the environment's value of the same name.
		if !onLine[g.name] {
			args = append(args, g)
		}
	}
	return t.apply(args)
}

func readArgs(args []string) []given {
	var out []given
	for _, a := range args {
		a = strings.TrimSpace(a)
		if a == "--" {
			break
		}
		if !strings.HasPrefix(a, "--") {
			continue
		}
		name, value, found := strings.Cut(a[2:], "=")
		out = append(out, given{strings.ToLower(name), value, !found})
	}
	return out
}

// readEnviron picks the variables that belong to a flag. Others with the same
// prefix are none of our business: executors have MESOS_SANDBOX and the like.
func (t *Table) readEnviron(environ []string) []given {
	var out []given
	for _, e := range environ {
		key, value, ok := strings.Cut(e, "=")
		if !ok || !strings.HasPrefix(key, t.EnvPrefix) {
			continue
		}
		name := strings.ToLower(key[len(t.EnvPrefix):])
		if f, _ := t.find(strings.TrimPrefix(name, "no-")); f != nil {
			out = append(out, given{name: name, value: value})
		}
	}
	// The order of an environment means nothing; a stable one gives stable errors.
	slices.SortFunc(out, func(a, b given) int { return strings.Compare(a.name, b.name) })
	return out
}

func (t *Table) apply(all []given) (*Values, error) {
	v := t.defaults()
	loadedVia := map[string]string{}
	for _, g := range all {
		name, negated := strings.CutPrefix(g.name, "no-")
		f, alias := t.find(name)
		if f == nil {
			return nil, t.unknown(name, g.name, negated)
		}
		if via, ok := loadedVia[f.Name]; ok {
			return nil, fmt.Errorf("Flag '%s' is already loaded via name '%s'", name, via)
		}
		text, err := textOf(f, g, name, negated)
		if err != nil {
			return nil, err
		}
		content, err := fetch(f.Kind, text)
		if err == nil {
			err = check(f.Kind, content)
		}
		if err != nil {
			return nil, fmt.Errorf("Failed to load flag '%s': %w", name, err)
		}
		loadedVia[f.Name] = name
		v.values[f.Name] = &value{text: content, raw: text, isSet: true, given: true}
		if alias {
			v.Warnings = append(v.Warnings, "Loaded deprecated flag '"+name+"'; use --"+f.Name)
		}
		if f.Gone != "" {
			v.Warnings = append(v.Warnings, "Flag --"+f.Name+" has no effect any more: "+f.Gone)
		}
	}
	return v, v.check()
}

func (t *Table) defaults() *Values {
	v := &Values{table: t, values: make(map[string]*value, len(t.Flags))}
	for _, f := range t.Flags {
		v.values[f.Name] = &value{text: f.Default, raw: f.Default, isSet: !f.NoDefault}
	}
	return v
}

func (v *Values) check() error {
	if f, _ := v.table.find("help"); f != nil && v.Bool("help") {
		return ErrHelp
	}
	if f, _ := v.table.find("version"); f != nil && v.Bool("version") {
		return nil // whoever asks for the version need not have the rest right
	}
	for _, f := range v.table.Flags {
		if f.Check == nil {
			continue
		}
		if err := f.Check(v); err != nil {
			return err
		}
	}
	return nil
}

func textOf(f *Flag, g given, name string, negated bool) (string, error) {
	if f.Kind != Bool {
		if negated {
			return "", fmt.Errorf("Failed to load non-boolean flag '%s' via '%s'", name, g.name)
		}
		if g.bare {
			return "", fmt.Errorf("Failed to load non-boolean flag '%s': Missing value", name)
		}
		return g.value, nil
	}
	if g.value == "" {
		if negated {
			return "false", nil
		}
		return "true", nil
	}
	if negated {
		return "", fmt.Errorf("Failed to load boolean flag '%s' via '%s' with value '%s'", name, g.name, g.value)
	}
	return g.value, nil
}

// fetch follows file:// for the kinds that allow it; flags/fetch.hpp.
func fetch(k Kind, text string) (string, error) {
	if k == Path {
		return text, nil
	}
	path, ok := strings.CutPrefix(text, "file://")
	if !ok && k == JSON && strings.HasPrefix(text, "/") {
		path, ok = text, true
	}
	if !ok {
		return text, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("Error reading file '%s': %w", path, err)
	}
	return string(data), nil
}

func (t *Table) unknown(name, via string, negated bool) error {
	msg := "Failed to load unknown flag '" + name + "'"
	if negated {
		msg += " via '" + via + "'"
	}
	if near := t.nearest(name); near != "" {
		msg += "; did you mean --" + near + "?"
	}
	return errors.New(msg)
}

// nearest finds the flag with the smallest edit distance, if one is near.
func (t *Table) nearest(name string) string {
	best, bestAt := "", len(name)/3+2
	for _, f := range t.Flags {
		for _, n := range append([]string{f.Name}, f.Aliases...) {
			if d := distance(name, n); d < bestAt {
				best, bestAt = f.Name, d
			}
		}
	}
	return best
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(row[j]+1, row[j-1]+1, cost)
		}
	}
	return row[len(b)]
}
