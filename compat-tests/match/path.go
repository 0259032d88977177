package match

import (
	"fmt"
	"strings"
)

// rulePath names places in a JSON value: "$", "$.slaves[*].attributes",
// "$[0].*", `$["a.b"]`. A step is a key, a number as text, or any.
type rulePath []string

// any is the step that every key or index takes.
const anyStep = "\x00any"

func parsePath(source string) (rulePath, error) {
	rest, ok := strings.CutPrefix(source, "$")
	if !ok {
		return nil, fmt.Errorf("the path %q does not begin with $", source)
	}
	path := rulePath{}
	for rest != "" {
		switch {
		case strings.HasPrefix(rest, `["`):
			key, after, ok := strings.Cut(rest[2:], `"]`)
			if !ok {
				return nil, fmt.Errorf("the path %q: [\" without \"]", source)
			}
			path, rest = append(path, key), after
		case rest[0] == '[':
			index, after, ok := strings.Cut(rest[1:], "]")
			if !ok || index != "*" && strings.Trim(index, "0123456789") != "" || index == "" {
				return nil, fmt.Errorf("the path %q: between [ and ] stands * or a number", source)
			}
			if index == "*" {
				index = anyStep
			}
			path, rest = append(path, index), after
		case rest[0] == '.':
			rest = rest[1:]
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			key := rest[:end]
			if key == "" {
				return nil, fmt.Errorf("the path %q has an empty step", source)
			}
			if key == "*" {
				key = anyStep
			}
			path, rest = append(path, key), rest[end:]
		default:
			return nil, fmt.Errorf("the path %q: after a step stands . or [", source)
		}
	}
	return path, nil
}

func parsePaths(sources []string) ([]rulePath, error) {
	paths := make([]rulePath, len(sources))
	for i, source := range sources {
		var err error
		if paths[i], err = parsePath(source); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

func (p rulePath) covers(place []string) bool {
	if len(p) != len(place) {
		return false
	}
	for i, step := range p {
		if step != anyStep && step != place[i] {
			return false
		}
	}
	return true
}

func covered(paths []rulePath, place []string) bool {
	for _, p := range paths {
		if p.covers(place) {
			return true
		}
	}
	return false
}

// placeText writes a place as a path.
func placeText(place []string, arrays []bool) string {
	var text strings.Builder
	text.WriteByte('$')
	for i, step := range place {
		switch {
		case arrays[i]:
			text.WriteString("[" + step + "]")
		case strings.ContainsAny(step, `.["`) || step == "":
			text.WriteString(`["` + step + `"]`)
		default:
			text.WriteString("." + step)
		}
	}
	return text.String()
}
