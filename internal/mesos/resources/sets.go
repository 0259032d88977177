package resources

import "slices"

// Sets are short lists of distinct strings in the order clients gave them, so
// they are searched one by one until they are long.
const longSet = 64

// setPlus appends the items of b that a lacks.
func setPlus(a, b []string) []string {
	out := slices.Clip(a)
	has := setLookup(a)
	for _, item := range b {
		if !has(item) {
			out = append(out, item)
		}
	}
	return out
}

// setMinus drops the items of b from a.
func setMinus(a, b []string) []string {
	has := setLookup(b)
	out := make([]string, 0, len(a))
	for _, item := range a {
		if !has(item) {
			out = append(out, item)
		}
	}
	return out
}

// setContains says whether a has every item of b.
func setContains(a, b []string) bool {
	if len(b) > len(a) {
		return false
	}
	has := setLookup(a)
	for _, item := range b {
		if !has(item) {
			return false
		}
	}
	return true
}

// setLookup returns a membership test.
func setLookup(set []string) func(string) bool {
	if len(set) <= longSet {
		return func(item string) bool { return slices.Contains(set, item) }
	}
	index := make(map[string]struct{}, len(set))
	for _, item := range set {
		index[item] = struct{}{}
	}
	return func(item string) bool { _, ok := index[item]; return ok }
}

// hasDuplicates says whether an item occurs twice.
func hasDuplicates(set []string) bool {
	if len(set) <= longSet {
		for i, item := range set {
			if slices.Contains(set[i+1:], item) {
				return true
			}
		}
		return false
	}
	seen := make(map[string]struct{}, len(set))
	for _, item := range set {
		if _, ok := seen[item]; ok {
			return true
		}
		seen[item] = struct{}{}
	}
	return false
}

func appendSet(dst []byte, set []string) []byte {
	dst = append(dst, '{')
	for i, item := range set {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, item...)
	}
	return append(dst, '}')
}
