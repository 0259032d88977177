package allocator

import "regexp/syntax"

// RE2 makes repetitions simpler than Go does, before it compiles an expression. What
// follows is that, as far as it changes the size of the program.

// simplified returns an expression that means the same, without touching the given one.
func simplified(re *syntax.Regexp) *syntax.Regexp {
	changed := *re
	changed.Sub = make([]*syntax.Regexp, len(re.Sub))
	for i, sub := range re.Sub {
		changed.Sub[i] = simplified(sub)
	}
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		return squashed(&changed)
	case syntax.OpConcat:
		changed.Sub = joined(changed.Sub)
	}
	return &changed
}

// squashed makes one repetition of a repetition: x++ is x+, and x+? is x*.
func squashed(re *syntax.Regexp) *syntax.Regexp {
	sub := re.Sub[0]
	switch sub.Op {
	case syntax.OpEmptyMatch:
		return sub
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		if sub.Flags&syntax.NonGreedy != re.Flags&syntax.NonGreedy {
			return re
		}
		if sub.Op == re.Op {
			return sub
		}
		star := *sub
		star.Op = syntax.OpStar
		return &star
	}
	return re
}

// joined makes one repetition of neighbours that repeat the same character: x*x+x is
// x{2,}.
func joined(list []*syntax.Regexp) []*syntax.Regexp {
	var out []*syntax.Regexp
	for _, re := range list {
		last := len(out) - 1
		if last < 0 {
			out = append(out, re)
			continue
		}
		before, ok := repetitionOf(out[last])
		if !ok {
			out = append(out, re)
			continue
		}
		after, rest := continuation(before, re)
		switch {
		case after == nil:
			out = append(out, re)
		case rest == nil:
			out[last] = after
		default:
			out[last] = after
			out = append(out, rest)
		}
	}
	return out
}

// repetitionOf says whether an expression repeats one character, and returns it as a
// general repetition.
func repetitionOf(re *syntax.Regexp) (*syntax.Regexp, bool) {
	r := &syntax.Regexp{Op: syntax.OpRepeat, Flags: re.Flags, Sub: re.Sub}
	switch re.Op {
	case syntax.OpStar:
		r.Min, r.Max = 0, -1
	case syntax.OpPlus:
		r.Min, r.Max = 1, -1
	case syntax.OpQuest:
		r.Min, r.Max = 0, 1
	case syntax.OpRepeat:
		r.Min, r.Max = re.Min, re.Max
	default:
		return nil, false
	}
	return r, oneCharacter(re.Sub[0])
}

func oneCharacter(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune) == 1
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	}
	return false
}

// continuation joins a repetition with what follows it, or returns nil. Of a text that
// begins with the character, the rest stays.
func continuation(r, re *syntax.Regexp) (whole, rest *syntax.Regexp) {
	x := r.Sub[0]
	if next, ok := repetitionOf(re); ok && next.Sub[0].Equal(x) && r.Flags&syntax.NonGreedy == re.Flags&syntax.NonGreedy {
		return longer(r, next.Min, next.Max), nil
	}
	if re.Equal(x) {
		return longer(r, 1, 1), nil
	}
	if x.Op != syntax.OpLiteral || re.Op != syntax.OpLiteral || re.Flags&syntax.FoldCase != x.Flags&syntax.FoldCase || re.Rune[0] != x.Rune[0] {
		return nil, nil
	}
	n := 1
	for n < len(re.Rune) && re.Rune[n] == x.Rune[0] {
		n++
	}
	if n == len(re.Rune) {
		return longer(r, n, n), nil
	}
	left := *re
	left.Rune = re.Rune[n:]
	return longer(r, n, n), &left
}

// longer is a repetition with that many more, of which -1 is any number.
func longer(r *syntax.Regexp, least, most int) *syntax.Regexp {
	more := *r
	more.Min += least
	if more.Max < 0 || most < 0 {
		more.Max = -1
	} else {
		more.Max += most
	}
	return &more
}
