// Package id holds the path ids of apps, pods and groups. Text comes in, absolute paths go
// out; nothing here knows whether the thing named exists.
package id

import (
	"slices"
	"strings"
)

// Path is an absolute, canonical path id such as "/shop/eu/web". The root is "/". The zero
// value "" names nothing.
type Path string

// Root is the path of the root group.
const Root Path = "/"

// Resolve makes raw absolute against base and resolves "." and "..", the way
// PathId.canonicalPath does (src/main/scala/mesosphere/marathon/state/PathId.scala). Empty
// elements are dropped, so "//a//b" is "/a/b". ".." above the root stays at the root.
func Resolve(raw string, base Path) Path {
	var elements []string
	if !strings.HasPrefix(raw, "/") {
		elements = base.Elements()
	}
	for element := range strings.SplitSeq(raw, "/") {
		switch element {
		case "", ".":
		case "..":
			if len(elements) > 0 {
				elements = elements[:len(elements)-1]
			}
		default:
			elements = append(elements, element)
		}
	}
	return Of(elements...)
}

// Of joins elements to an absolute path. No elements give the root.
func Of(elements ...string) Path { return Path("/" + strings.Join(elements, "/")) }

// String gives the wire form.
func (p Path) String() string { return string(p) }

// IsRoot tells whether p is the root group.
func (p Path) IsRoot() bool { return p == Root }

// Elements gives the path elements; none for the root. The caller owns the slice.
func (p Path) Elements() []string {
	if p == "" || p == Root {
		return nil
	}
	return strings.Split(string(p[1:]), "/")
}

// Depth is the number of elements: 0 for the root, 1 for a top-level group or app.
func (p Path) Depth() int {
	if p == "" || p == Root {
		return 0
	}
	return strings.Count(string(p), "/")
}

// IsTopLevel tells whether p is directly below the root.
func (p Path) IsTopLevel() bool { return p.Depth() == 1 }

// Name is the last element; "" for the root.
func (p Path) Name() string { return string(p[strings.LastIndexByte(string(p), '/')+1:]) }

// First is the first element, the name of the top-level group; "" for the root.
func (p Path) First() string {
	if p == "" || p == Root {
		return ""
	}
	first, _, _ := strings.Cut(string(p[1:]), "/")
	return first
}

// Parent is the path of the enclosing group. The root's parent is the root.
func (p Path) Parent() Path {
	at := strings.LastIndexByte(string(p), '/')
	if at <= 0 {
		return Root
	}
	return p[:at]
}

// Parents gives all enclosing groups, nearest first, the root last; none for the root.
func (p Path) Parents() []Path {
	var all []Path
	for at := p; !at.IsRoot() && at != ""; {
		at = at.Parent()
		all = append(all, at)
	}
	return all
}

// Child appends one element.
func (p Path) Child(element string) Path {
	if p.IsRoot() {
		return Path("/" + element)
	}
	return p + Path("/"+element)
}

// IsBelow tells whether p lies anywhere under ancestor. Nothing lies below itself.
func (p Path) IsBelow(ancestor Path) bool {
	if ancestor.IsRoot() {
		return !p.IsRoot() && p != ""
	}
	return len(p) > len(ancestor) && p[:len(ancestor)] == ancestor && p[len(ancestor)] == '/'
}

// Safe is the form used inside task ids: no leading slash, "_" between elements.
func (p Path) Safe() string { return p.joined("_") }

// joined gives the elements separated by sep, without a leading one.
func (p Path) joined(sep string) string {
	if p == "" || p == Root {
		return ""
	}
	return strings.ReplaceAll(string(p[1:]), "/", sep)
}

// FromSafe turns the safe form back. It is exact because elements never hold "_".
func FromSafe(safe string) Path {
	if safe == "" {
		return Root
	}
	return Path("/" + strings.ReplaceAll(safe, "_", "/"))
}

// HostPath is the reversed, dot-joined form used for Mesos task names: "web.eu.shop".
func (p Path) HostPath() string {
	elements := p.Elements()
	slices.Reverse(elements)
	return strings.Join(elements, ".")
}

// Compare orders paths by their text.
func Compare(a, b Path) int { return strings.Compare(string(a), string(b)) }
