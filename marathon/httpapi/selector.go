package httpapi

import (
	"slices"
	"strconv"
	"strings"

	"stoa/marathon/app"
)

// selector chooses apps by one label.
type selector struct {
	key    string
	values []string
	// negated wants none of the values, else one of them; exists wants nothing of the value.
	negated, exists bool
}

func (s selector) matches(a *app.App) bool {
	value, ok := a.Labels.Get(s.key)
	return ok && (s.exists || slices.Contains(s.values, value) != s.negated)
}

// parseSelectors reads a label query (api/v2/LabelSelector.scala): selectors separated by
// commas; each is a key alone, key == v, key != v, key in (a, b) or key notin (a, b).
func parseSelectors(query string) ([]selector, error) {
	p := selectorParser{text: query}
	var selectors []selector
	p.space()
	if p.at == len(p.text) {
		return nil, nil
	}
	for {
		one, problem := p.selector()
		if problem != "" {
			return nil, illegalArgument("Can not parse label selector " + query + ". Reason: " + problem)
		}
		selectors = append(selectors, one)
		p.space()
		if p.at == len(p.text) {
			return selectors, nil
		}
		if !p.take(",") {
			return nil, illegalArgument("Can not parse label selector " + query + ". Reason: " + p.expected("end of input"))
		}
	}
}

type selectorParser struct {
	text string
	at   int
}

func (p *selectorParser) space() {
	p.at += len(p.text[p.at:]) - len(strings.TrimLeft(p.text[p.at:], " \t\n\r\f\v"))
}

func (p *selectorParser) take(token string) bool {
	p.space()
	if !strings.HasPrefix(p.text[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

func (p *selectorParser) expected(what string) string {
	if p.at == len(p.text) {
		return what + " expected but end of source found"
	}
	return what + " expected but " + strconv.Quote(p.text[p.at:p.at+1]) + " found"
}

// term reads a word; characters other than letters, digits, ".", "_" and "-" need a backslash.
func (p *selectorParser) term() (string, bool) {
	p.space()
	var term strings.Builder
	start := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if c == '\\' && p.at+1 < len(p.text) {
			p.at++
			term.WriteByte(p.text[p.at])
		} else if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-' {
			term.WriteByte(c)
		} else {
			break
		}
		p.at++
	}
	return term.String(), p.at > start
}

func (p *selectorParser) selector() (selector, string) {
	key, ok := p.term()
	if !ok {
		return selector{}, p.expected("label")
	}
	switch {
	case p.take("=="), p.take("!="):
		negated := p.text[p.at-2] == '!'
		value, ok := p.term()
		if !ok {
			return selector{}, p.expected("value")
		}
		return selector{key: key, values: []string{value}, negated: negated}, ""
	}
	back := p.at
	negated := p.take("notin")
	if !negated && !p.take("in") {
		return selector{key: key, exists: true}, ""
	}
	if !p.take("(") {
		p.at = back
		return selector{}, p.expected("end of input")
	}
	values, problem := p.set()
	return selector{key: key, values: values, negated: negated}, problem
}

// set reads terms separated by commas up to the closing parenthesis.
func (p *selectorParser) set() ([]string, string) {
	var values []string
	if p.take(")") {
		return values, ""
	}
	for {
		value, ok := p.term()
		if !ok {
			return nil, p.expected("value")
		}
		values = append(values, value)
		if p.take(")") {
			return values, ""
		}
		if !p.take(",") {
			return nil, p.expected("')'")
		}
	}
}
