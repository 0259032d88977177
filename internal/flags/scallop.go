package flags

import (
	"fmt"
	"slices"
	"strings"
)

// LoadScallop reads Marathon's flags (MarathonConf.scala; the original uses the
// Scallop library): "--name value" and "--name=value", toggles as "--name" and
// "--disable_name". Environment values stand before the command line, and a flag
// given both ways is an error. Variables MARATHON_APP_* are not flags: a Marathon
// that runs as a Marathon task has them.
func (t *Table) LoadScallop(src Source) (*Values, error) {
	args, err := t.scallopArgs(append(t.scallopEnviron(src.Environ), src.Args...))
	if err != nil {
		return nil, err
	}
	return t.apply(args)
}

func (t *Table) scallopEnviron(environ []string) []string {
	var keys []string
	values := map[string]string{}
	for _, e := range environ {
		key, value, ok := strings.Cut(e, "=")
		name, mine := strings.CutPrefix(key, t.EnvPrefix)
		if !ok || !mine || strings.HasPrefix(name, "APP_") {
			continue
		}
		name = strings.ToLower(name)
		if f, _ := t.find(strings.TrimPrefix(name, "disable_")); f == nil {
			// The original stops here; a stray variable of a shell is no reason to.
			if f, _ := t.find(name); f == nil {
				continue
			}
		}
		keys = append(keys, name)
		values[name] = value
	}
	slices.Sort(keys)
	var out []string
	for _, k := range keys {
		if values[k] == "" {
			out = append(out, "--"+k)
		} else {
			out = append(out, "--"+k+"="+values[k])
		}
	}
	return out
}

func (t *Table) scallopArgs(args []string) ([]given, error) {
	var out []given
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "-h" {
			a = "--help"
		}
		if !strings.HasPrefix(a, "--") {
			return nil, fmt.Errorf("Excess arguments provided: '%s'", strings.Join(args[i:], " "))
		}
		name, value, found := strings.Cut(a[2:], "=")
		f, _ := t.find(name)
		if f == nil {
			toggle, disabled := strings.CutPrefix(name, "disable_")
			if f, _ = t.find(toggle); f != nil && disabled && f.Kind == Bool {
				out = append(out, given{name: "no-" + f.Name, bare: true})
				continue
			}
			msg := "Unknown option '" + name + "'"
			if near := t.nearest(name); near != "" {
				msg += "; did you mean --" + near + "?"
			}
			return nil, fmt.Errorf("%s", msg)
		}
		switch {
		case found:
		case f.Kind == Bool:
			// A toggle takes no value, but "--flag true" of the environment form does.
			if i+1 < len(args) && (args[i+1] == "true" || args[i+1] == "false") {
				i++
				value = args[i]
			}
		case i+1 < len(args) && (!strings.HasPrefix(args[i+1], "--") || f.Kind == String && len(args[i+1]) == 2):
			i++
			value, found = args[i], true
		default:
			return nil, fmt.Errorf("Bad arguments for option '%s': '' - you should provide exactly one argument for this option", name)
		}
		out = append(out, given{name: name, value: value, bare: !found && value == ""})
	}
	return out, nil
}
