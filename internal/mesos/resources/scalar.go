package resources

import (
	"math"
	"strconv"
)

// Scalar is a scalar resource value in exact thousandths. Sums and comparisons
// of the original are made in this form (src/common/values.cpp), so that
// 0.1 + 0.2 is 0.3.
type Scalar int64

// ScalarOf rounds v to thousandths, halves away from zero. What does not fit
// (NaN, infinities, more than nine quadrillion) becomes the smallest Scalar,
// as the original's conversion does on the machines it runs on, and is invalid
// as a resource.
func ScalarOf(v float64) Scalar {
	f := math.Round(v * 1000)
	if !(f >= -(1<<63) && f < 1<<63) {
		return math.MinInt64
	}
	return Scalar(f)
}

// Float is the double that goes on the wire: the whole part plus thousandths,
// never a product of earlier rounding errors.
func (s Scalar) Float() float64 {
	return float64(s/1000) + float64(s%1000)/1000
}

// Plus adds, staying at the largest or smallest value instead of overflowing.
func (s Scalar) Plus(o Scalar) Scalar {
	sum := s + o
	if s >= 0 && o >= 0 && sum < 0 {
		return math.MaxInt64
	}
	if s < 0 && o < 0 && sum >= 0 {
		return math.MinInt64
	}
	return sum
}

// Minus subtracts, staying at the largest or smallest value instead of overflowing.
func (s Scalar) Minus(o Scalar) Scalar {
	diff := s - o
	if s >= 0 && o < 0 && diff < 0 {
		return math.MaxInt64
	}
	if s < 0 && o >= 0 && diff >= 0 {
		return math.MinInt64
	}
	return diff
}

// String is the text in the original's messages: at most three decimals, no
// trailing zeros, fifteen significant digits.
func (s Scalar) String() string { return string(s.Append(nil)) }

// Append appends String to dst.
func (s Scalar) Append(dst []byte) []byte {
	const exact = 1_000_000_000_000_000 // fifteen digits
	if s <= -exact || s >= exact {
		return appendG15(dst, s.Float())
	}
	if s < 0 {
		dst = append(dst, '-')
		s = -s
	}
	dst = strconv.AppendInt(dst, int64(s/1000), 10)
	if rest := s % 1000; rest != 0 {
		digits := [4]byte{'.', byte('0' + rest/100), byte('0' + rest/10%10), byte('0' + rest%10)}
		end := 4
		for digits[end-1] == '0' {
			end--
		}
		dst = append(dst, digits[:end]...)
	}
	return dst
}

// appendG15 is printf's %.15g for large numbers.
func appendG15(dst []byte, f float64) []byte {
	if math.Abs(f) < 999_999_999_999_999.5 {
		return strconv.AppendFloat(dst, math.Round(f), 'f', 0, 64)
	}
	text := strconv.FormatFloat(f, 'e', 14, 64) // d.dddddddddddddde+XX
	mantissa, exponent := text[:len(text)-4], text[len(text)-4:]
	for mantissa[len(mantissa)-1] == '0' {
		mantissa = mantissa[:len(mantissa)-1]
	}
	if mantissa[len(mantissa)-1] == '.' {
		mantissa = mantissa[:len(mantissa)-1]
	}
	return append(append(dst, mantissa...), exponent...)
}
