// Package match compares what a server said with what it should have said.
//
// Comes in: a pattern (text or JSON with named wildcards), an answer and the
// values known so far. Goes out: the differences, and the values the wildcards
// stood for. It does no I/O.
//
// JSON is compared as it is written: keys in the same order, numbers with the
// same digits, strings with the same escapes. Only white space between
// tokens does not count.
package match

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Vars are the values of names: given from outside or captured by wildcards.
type Vars map[string]string

// wildcard is one {{…}} of a pattern.
type wildcard struct {
	kind string // "" for {{$name}}, which has no kind of its own
	expr string // regular expression over the text
	name string // "" when it is not captured
}

// textKinds are wildcards that stand for text, and for a JSON string when they
// are all of it.
var textKinds = map[string]string{
	"text":    `(?s:.+)`,
	"id":      `[A-Za-z0-9._:-]+`,
	"uuid":    `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`,
	"time":    `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`,
	"date":    `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT`,
	"ip":      `(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\])`,
	"address": `(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):\d{1,5}`,
	"host":    `[A-Za-z0-9._-]+`,
	"path":    `/[^\s"]*`,
	"hex":     `[0-9a-f]+`,
	"base64":  `(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?`,
}

// numberKinds are wildcards that stand for a JSON number when they are all of a
// value, and for digits inside text.
var numberKinds = map[string]string{
	"number": `-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?`,
	"int":    `-?\d+`,
	"double": `-?\d+(?:\.\d+(?:e-?\d+)?|e-?\d+)`,
	// Seconds since 1970 as the Mesos daemons write them.
	"timestamp": `[1-9]\d{9}(?:\.\d+)`,
}

// valueKinds are wildcards that only stand for a whole JSON value.
var valueKinds = map[string]Kind{"bool": Bool, "array": Array, "object": Object}

// anything is the wildcard for any text and any JSON value.
const anything = "any"

var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// parseWildcard reads what stands between {{ and }}.
func parseWildcard(inside string) (wildcard, error) {
	if name, ok := strings.CutPrefix(inside, "$"); ok {
		if !nameForm.MatchString(name) {
			return wildcard{}, fmt.Errorf("{{%s}}: %q is no name", inside, name)
		}
		return wildcard{name: name}, nil
	}
	kind, name, named := strings.Cut(inside, ":")
	if strings.HasPrefix(inside, "/") {
		end := strings.LastIndexByte(inside, '/')
		if end == 0 {
			return wildcard{}, fmt.Errorf("{{%s}}: no closing slash", inside)
		}
		kind, name, named = inside[:end+1], "", false
		if rest := inside[end+1:]; rest != "" {
			if name, named = strings.CutPrefix(rest, ":"); !named {
				return wildcard{}, fmt.Errorf("{{%s}}: after the slash only :name may stand", inside)
			}
		}
	}
	if named && !nameForm.MatchString(name) {
		return wildcard{}, fmt.Errorf("{{%s}}: %q is no name", inside, name)
	}
	w := wildcard{kind: kind, name: name}
	switch {
	case kind == anything:
		w.expr = `(?s:.*)`
	case textKinds[kind] != "":
		w.expr = textKinds[kind]
	case numberKinds[kind] != "":
		w.expr = numberKinds[kind]
	case kind == "bool":
		w.expr = `(?:true|false)`
	case kind == "array", kind == "object":
		w.expr = ""
	case strings.HasPrefix(kind, "/"):
		w.expr = `(?:` + kind[1:len(kind)-1] + `)`
		if _, err := regexp.Compile(w.expr); err != nil {
			return wildcard{}, fmt.Errorf("{{%s}}: %w", inside, err)
		}
	default:
		return wildcard{}, fmt.Errorf("{{%s}}: no such kind; known are %s", inside, strings.Join(kinds(), ", "))
	}
	return w, nil
}

func kinds() []string {
	all := []string{anything, "array", "bool", "object"}
	for kind := range textKinds {
		all = append(all, kind)
	}
	for kind := range numberKinds {
		all = append(all, kind)
	}
	slices.Sort(all)
	return all
}

// accepts says whether a whole JSON value of this kind can be meant.
func (w wildcard) accepts(kind Kind) bool {
	if w.kind == anything || w.kind == "" {
		return true
	}
	if want, ok := valueKinds[w.kind]; ok {
		return kind == want
	}
	if numberKinds[w.kind] != "" {
		return kind == Number
	}
	return kind == String
}

// Text is a pattern for text: literals and wildcards in turn.
type Text struct {
	source   string
	literals []string // one more than wildcards
	cards    []wildcard
}

// ParseText reads a text pattern.
func ParseText(source string) (*Text, error) {
	t := &Text{source: source}
	rest := source
	for {
		before, after, found := strings.Cut(rest, "{{")
		t.literals = append(t.literals, before)
		if !found {
			return t, nil
		}
		end := wildcardEnd(after)
		if end < 0 {
			return nil, fmt.Errorf("%q: {{ without }}", cut(source, 80))
		}
		w, err := parseWildcard(after[:end])
		if err != nil {
			return nil, err
		}
		t.cards = append(t.cards, w)
		rest = after[end+2:]
	}
}

// wildcardEnd finds the closing braces; a regular expression may hold braces itself.
func wildcardEnd(text string) int {
	if !strings.HasPrefix(text, "/") {
		return strings.Index(text, "}}")
	}
	shut := regexp.MustCompile(`/(?::[A-Za-z_][A-Za-z0-9_]*)?}}`)
	at := shut.FindStringIndex(text[1:])
	if at == nil {
		return -1
	}
	return 1 + at[1] - 2
}

// whole returns the wildcard that is the entire pattern, or nil.
func (t *Text) whole() *wildcard {
	if len(t.cards) == 1 && t.literals[0] == "" && t.literals[1] == "" {
		return &t.cards[0]
	}
	return nil
}

// Match compares text. What wildcards stood for goes into vars if all of it
// matches; names that vars has must stand for the same again.
func (t *Text) Match(text string, vars Vars) error {
	return t.match(text, vars, func(value string) string { return value })
}

// match is Match where known values look different in text: escape makes them so.
func (t *Text) match(text string, vars Vars, escape func(string) string) error {
	if len(t.cards) == 0 {
		if t.source != text {
			return fmt.Errorf("want %q, got %q", cut(t.source, 2000), cut(text, 2000))
		}
		return nil
	}
	var expr strings.Builder
	expr.WriteString(`\A`)
	captures := make(map[string]int) // name to group
	type again struct{ name, group int }
	var repeats []again
	groups := 0
	for i, w := range t.cards {
		expr.WriteString(regexp.QuoteMeta(t.literals[i]))
		value, known := vars[w.name]
		switch {
		case w.name != "" && known:
			expr.WriteString(regexp.QuoteMeta(escape(value)))
		case w.kind == "":
			return fmt.Errorf("the value of {{$%s}} is not known here", w.name)
		case w.name == "":
			expr.WriteString(`(?:` + w.expr + `)`)
		default:
			groups++
			expr.WriteString(fmt.Sprintf(`(?P<g%d>%s)`, groups, w.expr))
			if first, seen := captures[w.name]; seen {
				repeats = append(repeats, again{first, groups})
			} else {
				captures[w.name] = groups
			}
		}
	}
	expr.WriteString(regexp.QuoteMeta(t.literals[len(t.cards)]))
	expr.WriteString(`\z`)
	re, err := regexp.Compile(expr.String())
	if err != nil {
		return fmt.Errorf("the pattern %q: %w", t.source, err)
	}
	found := re.FindStringSubmatch(text)
	if found == nil {
		return fmt.Errorf("want %q%s, got %q", cut(t.source, 2000), t.known(vars), cut(text, 2000))
	}
	group := func(n int) string { return found[re.SubexpIndex(fmt.Sprintf("g%d", n))] }
	for _, r := range repeats {
		if group(r.name) != group(r.group) {
			return fmt.Errorf("want %q with the same value twice, got %q and %q", cut(t.source, 2000), group(r.name), group(r.group))
		}
	}
	for name, n := range captures {
		vars[name] = group(n)
	}
	return nil
}

// known lists the values that names of the pattern have, for messages.
func (t *Text) known(vars Vars) string {
	var parts []string
	for _, w := range t.cards {
		if value, ok := vars[w.name]; ok && w.name != "" {
			parts = append(parts, fmt.Sprintf("%s=%q", w.name, cut(value, 100)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	slices.Sort(parts)
	return " (" + strings.Join(slices.Compact(parts), ", ") + ")"
}

// Expand replaces {{$name}} by its value. It is for requests, where no other
// wildcard makes sense.
func (t *Text) Expand(vars Vars) (string, error) {
	var out strings.Builder
	for i, w := range t.cards {
		out.WriteString(t.literals[i])
		if w.kind != "" {
			return "", fmt.Errorf("%q: only {{$name}} may stand in a request", cut(t.source, 80))
		}
		value, known := vars[w.name]
		if !known {
			return "", fmt.Errorf("%q: the value of {{$%s}} is not known here", cut(t.source, 80), w.name)
		}
		out.WriteString(value)
	}
	out.WriteString(t.literals[len(t.cards)])
	return out.String(), nil
}
