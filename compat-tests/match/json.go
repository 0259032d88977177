package match

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Rules say where a pattern is less strict than "as it is written". Each lists paths
// such as "$", "$.slaves[*].attributes" or "$.flags.*".
type Rules struct {
	// Unordered arrays have their items, and objects their keys, in any order.
	Unordered []string
	// Subset objects and arrays may hold more than the pattern lists.
	Subset []string
	// Optional keys may be missing.
	Optional []string
}

// JSON is a pattern for a JSON value.
type JSON struct {
	root                        *pattern
	unordered, subset, optional []rulePath
}

// pattern is a node with the wildcards of its strings and keys.
type pattern struct {
	node  *Node
	text  *Text // of a string
	keys  []*Text
	items []*pattern
}

// ParseJSON reads a JSON pattern: JSON whose strings and keys may hold wildcards.
func ParseJSON(source string, rules Rules) (*JSON, error) {
	node, err := Parse(source)
	if err != nil {
		return nil, err
	}
	j := &JSON{}
	if j.root, err = compile(node); err != nil {
		return nil, err
	}
	if j.unordered, err = parsePaths(rules.Unordered); err != nil {
		return nil, err
	}
	if j.subset, err = parsePaths(rules.Subset); err != nil {
		return nil, err
	}
	j.optional, err = parsePaths(rules.Optional)
	return j, err
}

func compile(node *Node) (*pattern, error) {
	p := &pattern{node: node}
	var err error
	if node.Kind == String {
		p.text, err = ParseText(unescapeCard(node.Text))
		return p, err
	}
	for _, key := range node.Keys {
		text, err := ParseText(unescapeCard(key))
		if err != nil {
			return nil, err
		}
		p.keys = append(p.keys, text)
	}
	for _, item := range node.Items {
		child, err := compile(item)
		if err != nil {
			return nil, err
		}
		p.items = append(p.items, child)
	}
	return p, nil
}

// unescapeCard undoes JSON's escapes inside {{…}}, where regular expressions have
// backslashes of their own; the rest of a string stays as it is written.
func unescapeCard(raw string) string {
	if !strings.Contains(raw, "{{") || !strings.Contains(raw, `\`) {
		return raw
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(raw, "{{")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		end := wildcardEnd(after)
		if end < 0 {
			end = len(after)
		}
		out.WriteString("{{" + plain(after[:end]))
		raw = after[end:]
	}
}

// plain is the text a JSON string stands for.
func plain(raw string) string {
	if !strings.Contains(raw, `\`) {
		return raw
	}
	var text string
	if json.Unmarshal([]byte(`"`+raw+`"`), &text) != nil {
		return raw
	}
	return text
}

// quote is the shortest JSON form of a text, between the quotes.
func quote(text string) string {
	return strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`).Replace(text)
}

// Difference is one place where an answer is not what the pattern says.
type Difference struct {
	Place string // a path, such as "$.slaves[0].port"
	Text  string
}

func (d Difference) String() string { return d.Place + ": " + d.Text }

// Match compares an answer with the pattern. When there is no difference, what
// the wildcards stood for is added to vars.
func (j *JSON) Match(answer *Node, vars Vars) []Difference {
	m := matcher{JSON: j, budget: maxComparisons, vars: cloneVars(vars)}
	m.value(j.root, answer)
	if len(m.found) == 0 {
		for name, value := range m.vars {
			vars[name] = value
		}
	}
	return m.found
}

// maxComparisons bounds the search for partners in unordered arrays.
const maxComparisons = 200_000

// maxDifferences is how many are told.
const maxDifferences = 50

func cloneVars(vars Vars) Vars {
	out := make(Vars, len(vars))
	for name, value := range vars {
		out[name] = value
	}
	return out
}

type matcher struct {
	*JSON
	vars   Vars
	found  []Difference
	place  []string
	arrays []bool // which steps of place are indices
	budget int
}

func (m *matcher) differ(format string, args ...any) {
	if len(m.found) < maxDifferences {
		m.found = append(m.found, Difference{placeText(m.place, m.arrays), fmt.Sprintf(format, args...)})
	}
}

func (m *matcher) enter(step string, array bool, do func()) {
	m.place, m.arrays = append(m.place, step), append(m.arrays, array)
	do()
	m.place, m.arrays = m.place[:len(m.place)-1], m.arrays[:len(m.arrays)-1]
}

func (m *matcher) value(p *pattern, n *Node) {
	m.budget--
	if p.text != nil {
		m.text(p.text, n)
		return
	}
	if p.node.Kind != n.Kind {
		m.differ("want %s, got the %s %s", p.node.short(), n.Kind, n.short())
		return
	}
	switch p.node.Kind {
	case Object:
		m.object(p, n)
	case Array:
		m.array(p, n)
	default:
		if p.node.Text != n.Text {
			m.differ("want %s, got %s", p.node.Text, n.Text)
		}
	}
}

// text compares with a string of the pattern, which may be a wildcard for any kind of value.
func (m *matcher) text(t *Text, n *Node) {
	w := t.whole()
	if w == nil {
		if n.Kind != String {
			m.differ("want the string %q, got the %s %s", t.source, n.Kind, n.short())
		} else if err := t.match(n.Text, m.vars, quote); err != nil {
			m.differ("%v", err)
		}
		return
	}
	if !w.accepts(n.Kind) {
		m.differ("want %s, got the %s %s", t.source, n.Kind, n.short())
		return
	}
	text := n.String()
	if n.Kind == String {
		text = plain(n.Text)
	}
	if w.expr == "" && w.kind != "" {
		// Arrays and objects have no regular expression.
		if known, ok := m.vars[w.name]; ok && w.name != "" && known != text {
			m.differ("want the same %s again, got %s", w.kind, n.short())
		} else if w.name != "" {
			m.vars[w.name] = text
		}
		return
	}
	if err := t.match(text, m.vars, func(value string) string { return value }); err != nil {
		m.differ("%v", err)
	}
}

func (m *matcher) object(p *pattern, n *Node) {
	used := make([]bool, len(n.Items))
	partner := make([]int, len(p.items)) // index in n, or -1
	for i, key := range p.keys {
		partner[i] = m.key(key, n, used)
		if partner[i] >= 0 {
			used[partner[i]] = true
			continue
		}
		m.enter(key.source, false, func() {
			if !covered(m.optional, m.place) {
				m.differ("missing, want %s", p.items[i].node.short())
			}
		})
	}
	if !covered(m.subset, m.place) {
		for i, taken := range used {
			if !taken {
				m.enter(n.Keys[i], false, func() { m.differ("not expected, got %s", n.Items[i].short()) })
			}
		}
	}
	if !covered(m.unordered, m.place) {
		last := -1
		for _, i := range partner {
			if i < 0 {
				continue
			}
			if i < last {
				m.differ("keys in another order: want %s, got %s", strings.Join(p.node.Keys, ", "), strings.Join(n.Keys, ", "))
				break
			}
			last = i
		}
	}
	for i, item := range p.items {
		if partner[i] >= 0 {
			m.enter(n.Keys[partner[i]], false, func() { m.value(item, n.Items[partner[i]]) })
		}
	}
}

// key finds the first unused key of n that is meant.
func (m *matcher) key(key *Text, n *Node, used []bool) int {
	for i := range n.Keys {
		if !used[i] && key.match(n.Keys[i], m.vars, quote) == nil {
			return i
		}
	}
	return -1
}

func (m *matcher) array(p *pattern, n *Node) {
	subset, unordered := covered(m.subset, m.place), covered(m.unordered, m.place)
	if !subset && len(p.items) != len(n.Items) {
		m.differ("want %d items, got %d: %s", len(p.items), len(n.Items), n.short())
		if unordered {
			return
		}
	}
	if !subset && !unordered {
		for i, item := range p.items {
			if i < len(n.Items) {
				m.enter(strconv.Itoa(i), true, func() { m.value(item, n.Items[i]) })
			}
		}
		return
	}
	if !m.assign(p, n, 0, make([]bool, len(n.Items)), unordered) {
		m.explain(p, n)
	}
}

// assign finds a partner for each item of the pattern from the i-th on, trying
// others when that leaves a later one without.
func (m *matcher) assign(p *pattern, n *Node, i int, used []bool, unordered bool) bool {
	if i == len(p.items) {
		return true
	}
	first := 0
	if !unordered {
		for k, taken := range used {
			if taken {
				first = k + 1
			}
		}
	}
	for k := first; k < len(n.Items); k++ {
		if used[k] || m.budget <= 0 {
			continue
		}
		try := m.try(p.items[i], n.Items[k], k)
		m.budget = try.budget
		if len(try.found) > 0 {
			continue
		}
		before := m.vars
		m.vars, used[k] = try.vars, true
		if m.assign(p, n, i+1, used, unordered) {
			return true
		}
		m.vars, used[k] = before, false
	}
	return false
}

// try compares without keeping anything.
func (m *matcher) try(p *pattern, n *Node, index int) matcher {
	try := matcher{JSON: m.JSON, vars: cloneVars(m.vars), budget: m.budget, place: append([]string(nil), m.place...), arrays: append([]bool(nil), m.arrays...)}
	try.enter(strconv.Itoa(index), true, func() { try.value(p, n) })
	return try
}

// explain says for each item of the pattern that fits nowhere what it is closest to.
func (m *matcher) explain(p *pattern, n *Node) {
	if m.budget <= 0 {
		m.differ("too many ways to pair the items; make the pattern more definite")
		return
	}
	alone := false
	for _, item := range p.items {
		var nearest []Difference
		for k, candidate := range n.Items {
			try := m.try(item, candidate, k)
			if len(try.found) == 0 {
				nearest = nil
				break
			}
			if nearest == nil || len(try.found) < len(nearest) {
				nearest = try.found
			}
		}
		if nearest != nil || len(n.Items) == 0 {
			alone = true
			m.differ("no item is %s; the nearest differs so:", item.node.short())
			m.found = append(m.found, nearest...)
		}
	}
	if !alone {
		m.differ("each item fits somewhere, but not all of them at once, in %s", n.short())
	}
}
