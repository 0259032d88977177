package flags

import (
	"fmt"
	"strings"
)

// Usage is the help text: one flag after the other with its default.
func (t *Table) Usage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: %s [options]\n\n", t.Program)
	for _, f := range t.Flags {
		if f.Gone != "" {
			continue
		}
		for i, n := range append([]string{f.Name}, f.Aliases...) {
			if i > 0 {
				b.WriteString(", ")
			} else {
				b.WriteString("  ")
			}
			switch {
			case f.Kind != Bool:
				b.WriteString("--" + n + "=VALUE")
			case t.EnvPrefix == "MARATHON_":
				b.WriteString("--[disable_]" + n)
			default:
				b.WriteString("--[no-]" + n)
			}
		}
		b.WriteString("\n")
		help := f.Help
		if !f.NoDefault {
			if help != "" {
				help += " "
			}
			help += "(default: " + f.Default + ")"
		}
		if help != "" {
			b.WriteString("        " + help + "\n")
		}
	}
	return b.String()
}
