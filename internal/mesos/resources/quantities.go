package resources

import (
	"errors"
	"iter"
	"slices"
	"strings"

	"stoa/internal/mesos/mesospb"
)

// quantity is one named amount.
type quantity struct {
	name   string
	amount Scalar
}

// Quantities are amounts by name, without roles or identities. A name that is
// not there has the amount 0, and no amount is 0 or less. Quantities are
// ordered by name. The zero value is empty; methods return new values
// (src/common/resource_quantities.cpp).
type Quantities struct {
	list []quantity
}

// ParseQuantities reads "cpus:1;mem:512".
func ParseQuantities(text string) (Quantities, error) {
	var q Quantities
	err := parseAmounts(text, "quantity", func(name string, amount Scalar, _ string) error {
		if amount > 0 {
			q.add(name, amount)
		}
		return nil
	})
	return q, err
}

// parseAmounts reads "name:number" pairs; what names the thing in errors.
func parseAmounts(text, what string, each func(name string, amount Scalar, text string) error) error {
	for _, token := range tokenize(text, ";") {
		pair := tokenize(token, ":")
		if len(pair) != 2 {
			return errors.New("Failed to parse '" + token + "': missing or extra ':'")
		}
		value, err := ParseValue(pair[1])
		if err != nil {
			return errors.New("Failed to parse '" + pair[1] + "' to " + what + ": " + err.Error())
		}
		if value.GetType() != mesospb.Value_SCALAR {
			return errors.New("Failed to parse '" + pair[1] + "' to " + what + ": only scalar values are allowed")
		}
		if err := each(trim(pair[0]), ScalarOf(value.GetScalar().GetValue()), pair[1]); err != nil {
			return err
		}
	}
	return nil
}

// QuantitiesOf makes quantities of named amounts; those of 0 or less are left out.
func QuantitiesOf(amounts map[string]Scalar) Quantities {
	var q Quantities
	for name, amount := range amounts {
		q.add(name, amount)
	}
	return q
}

// Quantities totals the entries by name; a ranges resource counts its numbers
// and a set its items.
func (rs Resources) Quantities() Quantities {
	q := Quantities{make([]quantity, 0, len(rs.list))}
	for i := range rs.list {
		r := &rs.list[i]
		amount := r.scalar
		switch r.Type() {
		case mesospb.Value_RANGES:
			amount = wholeScalar(r.ranges.Count())
		case mesospb.Value_SET:
			amount = wholeScalar(uint64(len(r.set)))
		}
		q.add(r.Name(), amount)
	}
	return q
}

// ScalarQuantities totals the scalar entries by name.
func (rs Resources) ScalarQuantities() Quantities {
	q := Quantities{make([]quantity, 0, len(rs.list))}
	for i := range rs.list {
		if r := &rs.list[i]; r.Type() == mesospb.Value_SCALAR {
			q.add(r.Name(), r.scalar)
		}
	}
	return q
}

func wholeScalar(n uint64) Scalar {
	const most = (1<<63 - 1) / 1000
	return Scalar(min(n, most)) * 1000
}

// ContainsQuantities says whether rs has at least these amounts.
func (rs Resources) ContainsQuantities(q Quantities) bool {
	return len(q.list) == 0 || rs.Quantities().Contains(q)
}

// add puts an amount in, in place: only for quantities nobody else has seen.
func (q *Quantities) add(name string, amount Scalar) {
	if amount <= 0 {
		return
	}
	i := 0
	for ; i < len(q.list) && q.list[i].name < name; i++ {
	}
	if i < len(q.list) && q.list[i].name == name {
		q.list[i].amount = q.list[i].amount.Plus(amount)
		return
	}
	q.list = slices.Insert(q.list, i, quantity{name, amount})
}

// Get is the amount of a name, 0 when it is not there.
func (q Quantities) Get(name string) Scalar {
	for i := range q.list {
		if q.list[i].name == name {
			return q.list[i].amount
		}
	}
	return 0
}

// All visits the amounts by name.
func (q Quantities) All() iter.Seq2[string, Scalar] {
	return func(yield func(string, Scalar) bool) {
		for _, entry := range q.list {
			if !yield(entry.name, entry.amount) {
				return
			}
		}
	}
}

// Empty says whether there is no amount.
func (q Quantities) Empty() bool { return len(q.list) == 0 }

// Len is the number of names.
func (q Quantities) Len() int { return len(q.list) }

// Equal says whether both hold the same amounts.
func (q Quantities) Equal(o Quantities) bool { return slices.Equal(q.list, o.list) }

// Contains says whether q has at least what o has of every name.
func (q Quantities) Contains(o Quantities) bool {
	i := 0
	for _, want := range o.list {
		for ; i < len(q.list) && q.list[i].name < want.name; i++ {
		}
		if i == len(q.list) || q.list[i].name != want.name || q.list[i].amount < want.amount {
			return false
		}
	}
	return true
}

// Add is the sum.
func (q Quantities) Add(o Quantities) Quantities {
	if len(o.list) == 0 {
		return q
	}
	if len(q.list) == 0 {
		return o
	}
	out := make([]quantity, 0, len(q.list)+len(o.list))
	i, j := 0, 0
	for i < len(q.list) && j < len(o.list) {
		switch strings.Compare(q.list[i].name, o.list[j].name) {
		case -1:
			out = append(out, q.list[i])
			i++
		case 1:
			out = append(out, o.list[j])
			j++
		default:
			out = append(out, quantity{q.list[i].name, q.list[i].amount.Plus(o.list[j].amount)})
			i++
			j++
		}
	}
	out = append(out, q.list[i:]...)
	return Quantities{append(out, o.list[j:]...)}
}

// Subtract is what is left of q; an amount of 0 or less is dropped.
func (q Quantities) Subtract(o Quantities) Quantities {
	if len(o.list) == 0 || len(q.list) == 0 {
		return q
	}
	out := make([]quantity, 0, len(q.list))
	for _, entry := range q.list {
		if entry.amount = entry.amount.Minus(o.Get(entry.name)); entry.amount > 0 {
			out = append(out, entry)
		}
	}
	return Quantities{out}
}

// String is the original's text: "cpus:1; mem:2", "{}" when empty.
func (q Quantities) String() string { return amountsText(q.list) }

func amountsText(list []quantity) string {
	if len(list) == 0 {
		return "{}"
	}
	var dst []byte
	for i, entry := range list {
		if i > 0 {
			dst = append(dst, "; "...)
		}
		dst = append(dst, entry.name...)
		dst = append(dst, ':')
		dst = entry.amount.Append(dst)
	}
	return string(dst)
}
