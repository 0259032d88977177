package allocator

import (
	"regexp/syntax"
	"unicode"
	"unicode/utf8"
)

// The limits on regular expressions are in the measures of RE2, which the original
// uses: instructions of a program that works on bytes. Go's programs work on runes, so
// that the size of RE2's is found out here, from the parsed expression.

// What RE2 takes for a program and for one instruction of it, on 64-bit machines.
const (
	programBytes     = 416
	instructionBytes = 8
)

// instruction is a node of the program: a step, after which it goes on at next, or a
// fork, from which it goes on at next and at other.
type instruction struct {
	fork        bool
	end         bool // a match, or no way on
	next, other int
}

type program struct {
	list []instruction
	// first is where it begins to look for start, the beginning of the expression.
	first, start int
	// suffixes are byte ranges within characters that later ones of the same class can
	// share, by range and what follows.
	suffixes map[suffix]int
}

type suffix struct {
	low, high byte
	next      int
}

// most is when the counting stops: far beyond every limit that makes sense.
const most = 100_000

// measure makes the program of an expression. Its compiled size is what the memory limit
// is about, its flat size what the other limit is about.
func measure(re *syntax.Regexp) *program {
	re, anchored := withoutPrefix(re)
	re = simplified(re).Simplify()
	if !anchored {
		re, anchored = withoutAnchor(re)
	}
	re = withoutEnd(re)
	p := &program{}
	p.add(instruction{end: true}) // the way that leads nowhere
	match := p.add(instruction{end: true})
	p.start = p.compile(re, match)
	p.first = p.start
	if !anchored {
		// A loop over any byte, which is left for the expression itself.
		p.first = p.add(instruction{fork: true, next: p.start})
		p.list[p.first].other = p.step(p.first)
	}
	return p
}

// compiled is how many instructions there are at first.
func (p *program) compiled() int { return len(p.list) }

// withoutPrefix takes away what RE2 compares by itself: a literal at the beginning of the
// text. What is left may then match anywhere.
func withoutPrefix(re *syntax.Regexp) (*syntax.Regexp, bool) {
	if re.Op != syntax.OpConcat {
		return re, false
	}
	i := 0
	for i < len(re.Sub) && re.Sub[i].Op == syntax.OpBeginText {
		i++
	}
	if i == 0 || i == len(re.Sub) || re.Sub[i].Op != syntax.OpLiteral {
		return re, false
	}
	return &syntax.Regexp{Op: syntax.OpConcat, Sub: re.Sub[i+1:], Flags: re.Flags}, false
}

// withoutAnchor takes away the beginning of the text from the front, if it is there.
func withoutAnchor(re *syntax.Regexp) (*syntax.Regexp, bool) {
	switch {
	case re.Op == syntax.OpBeginText:
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}, true
	case (re.Op == syntax.OpConcat || re.Op == syntax.OpCapture) && len(re.Sub) > 0:
		first, anchored := withoutAnchor(re.Sub[0])
		if anchored {
			changed := *re
			changed.Sub = append([]*syntax.Regexp{first}, re.Sub[1:]...)
			return &changed, true
		}
	}
	return re, false
}

// withoutEnd takes away the end of the text from the back, if it is there.
func withoutEnd(re *syntax.Regexp) *syntax.Regexp {
	switch {
	case re.Op == syntax.OpEndText:
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}
	case (re.Op == syntax.OpConcat || re.Op == syntax.OpCapture) && len(re.Sub) > 0:
		last := len(re.Sub) - 1
		changed := *re
		changed.Sub = append(append([]*syntax.Regexp(nil), re.Sub[:last]...), withoutEnd(re.Sub[last]))
		return &changed
	}
	return re
}

func (p *program) add(i instruction) int {
	if len(p.list) >= most {
		return 0
	}
	p.list = append(p.list, i)
	return len(p.list) - 1
}

func (p *program) step(next int) int { return p.add(instruction{next: next}) }

// compile adds an expression after which the program goes on at next, and returns where
// it begins.
func (p *program) compile(re *syntax.Regexp, next int) int {
	switch re.Op {
	case syntax.OpNoMatch:
		return 0
	case syntax.OpLiteral:
		for i := len(re.Rune) - 1; i >= 0; i-- {
			next = p.literal(re.Rune[i], re.Flags&syntax.FoldCase != 0, next)
		}
	case syntax.OpCharClass:
		return p.class(re.Rune, next)
	case syntax.OpAnyCharNotNL:
		return p.class([]rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}, next)
	case syntax.OpAnyChar:
		return p.class([]rune{0, unicode.MaxRune}, next)
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return p.step(next)
	case syntax.OpCapture:
		return p.step(p.compile(re.Sub[0], p.step(next)))
	case syntax.OpStar, syntax.OpPlus:
		loop := p.add(instruction{fork: true, next: next})
		body := p.compile(re.Sub[0], loop)
		p.list[loop].other = body
		if re.Op == syntax.OpPlus {
			return body
		}
		return loop
	case syntax.OpQuest:
		return p.add(instruction{fork: true, next: p.compile(re.Sub[0], next), other: next})
	case syntax.OpConcat:
		for i := len(re.Sub) - 1; i >= 0; i-- {
			next = p.compile(re.Sub[i], next)
		}
	case syntax.OpAlternate:
		begin := p.compile(re.Sub[0], next)
		for _, sub := range re.Sub[1:] {
			begin = p.fork(begin, p.compile(sub, next))
		}
		return begin
	}
	return next
}

// fork is the choice between two ways, of which 0 is none.
func (p *program) fork(a, b int) int {
	if a == 0 || b == 0 {
		return a + b
	}
	return p.add(instruction{fork: true, next: a, other: b})
}

func (p *program) literal(r rune, fold bool, next int) int {
	if fold {
		if orbit := orbitOf(r); len(orbit) > 2 {
			return p.class(orbit, next)
		}
	}
	for range max(utf8.RuneLen(r), 1) {
		next = p.step(next)
	}
	return next
}

// orbitOf are the runes that differ from r in case, as ranges in order.
func orbitOf(r rune) []rune {
	orbit := []rune{r, r}
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		at := 0
		for at < len(orbit) && orbit[at] < other {
			at += 2
		}
		orbit = append(orbit[:at], append([]rune{other, other}, orbit[at:]...)...)
	}
	if len(orbit) == 4 && orbit[0]|0x20 == orbit[2] && orbit[2] < utf8.RuneSelf {
		return orbit[:2] // an instruction may ignore the case of an ASCII letter
	}
	return orbit
}

// class adds a choice of characters, given as ranges in order.
func (p *program) class(ranges []rune, next int) int {
	p.suffixes = make(map[suffix]int)
	fold := foldsASCII(ranges)
	var all [][]span
	for i := 0; i+1 < len(ranges); i += 2 {
		if fold && ranges[i] >= 'A' && ranges[i+1] <= 'Z' {
			continue // the small letters do for both
		}
		all = appendSpans(all, ranges[i], ranges[i+1])
	}
	return p.choice(all, 0, next)
}

// foldsASCII says whether capital letters are in the class just as small ones are.
func foldsASCII(ranges []rune) bool {
	letters := func(from rune) (set uint32) {
		for c := rune(0); c < 26; c++ {
			for i := 0; i+1 < len(ranges); i += 2 {
				if ranges[i] <= from+c && from+c <= ranges[i+1] {
					set |= 1 << c
				}
			}
		}
		return set
	}
	return letters('A') == letters('a')
}

// span is a range of bytes.
type span struct{ low, high byte }

// highest are the largest characters of one, two and three bytes.
var highest = []rune{0x7f, 0x7ff, 0xffff}

// appendSpans appends the sequences of byte ranges that stand for a range of characters.
func appendSpans(all [][]span, low, high rune) [][]span {
	if low > high {
		return all
	}
	if low == utf8.RuneSelf && high == unicode.MaxRune {
		// So frequent that RE2 lets in more, and needs less for it.
		tail := span{0x80, 0xbf}
		return append(all, []span{{0xc2, 0xdf}, tail}, []span{{0xe0, 0xef}, tail, tail}, []span{{0xf0, 0xf4}, tail, tail, tail})
	}
	for _, edge := range highest {
		if low <= edge && edge < high {
			return appendSpans(appendSpans(all, low, edge), edge+1, high)
		}
	}
	if high < utf8.RuneSelf {
		return append(all, []span{{byte(low), byte(high)}})
	}
	for mask := rune(0x3f); mask <= 0x3ffff; mask = mask<<6 | 0x3f {
		if low&^mask == high&^mask {
			continue
		}
		if low&mask != 0 {
			return appendSpans(appendSpans(all, low, low|mask), (low|mask)+1, high)
		}
		if high&mask != mask {
			return appendSpans(appendSpans(all, low, high&^mask-1), high&^mask, high)
		}
	}
	a, b := encode(low), encode(high)
	sequence := make([]span, len(a))
	for i := range sequence {
		sequence[i] = span{a[i], b[i]}
	}
	return append(all, sequence)
}

// encode is UTF-8, of surrogates too.
func encode(r rune) []byte {
	if utf8.ValidRune(r) || r < 0x800 || r > 0xffff {
		return utf8.AppendRune(nil, r)
	}
	return []byte{0xe0 | byte(r>>12), 0x80 | byte(r>>6)&0x3f, 0x80 | byte(r)&0x3f}
}

// choice adds sequences of byte ranges, of which the first depth are done with. Those
// that begin with the same range share it.
func (p *program) choice(all [][]span, depth, next int) int {
	begin := 0
	for i := 0; i < len(all); {
		j := i + 1
		for j < len(all) && len(all[j]) > depth && all[j][depth] == all[i][depth] {
			j++
		}
		var way int
		if j == i+1 {
			way = p.sequence(all[i], depth, next)
		} else {
			way = p.step(p.choice(all[i:j], depth+1, next))
		}
		begin = p.fork(begin, way)
		i = j
	}
	return begin
}

// sequence adds one sequence; what it can share with earlier ones, it shares.
func (p *program) sequence(list []span, depth, next int) int {
	for i := len(list) - 1; i >= depth; i-- {
		last := i == len(list)-1
		if !last && list[i].low == list[i].high || i == 0 {
			next = p.step(next)
			continue
		}
		key := suffix{list[i].low, list[i].high, next}
		at, ok := p.suffixes[key]
		if !ok {
			at = p.step(next)
			p.suffixes[key] = at
		}
		next = at
	}
	return next
}

// flat counts the instructions as RE2 runs them: forks are lists of steps there. A
// list begins at each start and after each step, and wherever the ways of two lists
// meet; a way that leads into another list needs an instruction to go there.
func (p *program) flat() int {
	starts := []int{p.first, p.start}
	begins := map[int]bool{0: true}
	order := []int{0}
	begin := func(id int) {
		if !begins[id] {
			begins[id] = true
			order = append(order, id)
		}
	}
	for _, id := range starts {
		begin(id)
	}
	into := make(map[int][]int) // the forks that lead to an instruction
	seen := make(map[int]bool)
	for todo := append([]int(nil), starts...); len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[id] {
			continue
		}
		seen[id] = true
		switch one := p.list[id]; {
		case one.end:
		case one.fork:
			into[one.next] = append(into[one.next], id)
			into[one.other] = append(into[one.other], id)
			todo = append(todo, one.other, one.next)
		default:
			begin(one.next)
			todo = append(todo, one.next)
		}
	}
	for i := 0; i < len(order); i++ {
		reached := p.reach(order[i], begins, nil)
		for id := range reached {
			for _, from := range into[id] {
				if !reached[from] {
					begin(id)
				}
			}
		}
	}
	size := 0
	for _, id := range order {
		p.reach(id, begins, func() { size++ })
	}
	return size
}

// reach returns what a list consists of and leads to; emit is called for each of its
// instructions.
func (p *program) reach(root int, begins map[int]bool, emit func()) map[int]bool {
	reached := make(map[int]bool)
	for todo := []int{root}; len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if reached[id] {
			continue
		}
		reached[id] = true
		one := p.list[id]
		if one.fork && (id == root || !begins[id]) {
			todo = append(todo, one.other, one.next)
		} else if emit != nil {
			emit()
		}
	}
	return reached
}
