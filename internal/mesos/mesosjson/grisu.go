package mesosjson

import (
	"math"
	"math/bits"
)

// Grisu2 after Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with Integers" (PLDI 2010), with
// the parameters that rapidjson 1.1.0 chose: powers of ten in steps of eight, and no correction of the last digit once
// nine digits after the binary point are out. Where Grisu2 does not find the shortest text, these parameters decide which
// longer one comes out, and so they are part of the wire format.

// scaled is the number significand x 2^exponent.
type scaled struct {
	significand uint64
	exponent    int
}

// normalized moves the highest set bit to the top.
func (s scaled) normalized() scaled {
	shift := bits.LeadingZeros64(s.significand)
	return scaled{s.significand << shift, s.exponent - shift}
}

// times is the product, rounded to 64 bits.
func (s scaled) times(t scaled) scaled {
	high, low := bits.Mul64(s.significand, t.significand)
	return scaled{high + low>>63, s.exponent + t.exponent + 64}
}

const (
	mantissaBits = 52
	hiddenBit    = uint64(1) << mantissaBits
	exponentBias = 1023 + mantissaBits
)

// grisu2 returns decimal digits and an exponent with digits x 10^exponent reading back as v, which is finite and above zero.
func grisu2(buffer *[32]byte, v float64) (digits []byte, exponent int) {
	value := math.Float64bits(v)
	f, e := value&(hiddenBit-1), int(value>>mantissaBits)
	if e == 0 {
		e = 1
	} else {
		f |= hiddenBit
	}
	e -= exponentBias

	// Half-way to the neighbours: everything between lower and upper reads back as v. Below a power of two the
	// neighbour is only half as far away.
	exact := scaled{f, e}.normalized()
	upper := scaled{f<<1 + 1, e - 1}.normalized()
	lower := scaled{f<<1 - 1, e - 1}
	if f == hiddenBit {
		lower = scaled{f<<2 - 1, e - 2}
	}
	lower = scaled{lower.significand << (lower.exponent - upper.exponent), upper.exponent}

	// Bring the exponent near zero, so that the integer part fits into 32 bits.
	power, exponent := cachedPower(upper.exponent)
	exact, upper, lower = exact.times(power), upper.times(power), lower.times(power)
	// One unit of safety on both sides covers the rounding of the products.
	upper.significand--
	lower.significand++
	digits, dropped := generateDigits(buffer[:0], exact, upper, upper.significand-lower.significand)
	return digits, exponent + dropped
}

// generateDigits writes the digits of upper until what is left is below the width of the safe interval, then moves the last
// digit towards exact. dropped is the decimal exponent of the last digit.
func generateDigits(digits []byte, exact, upper scaled, width uint64) (_ []byte, dropped int) {
	shift := -upper.exponent
	one := uint64(1) << shift
	distance := upper.significand - exact.significand
	whole := uint32(upper.significand >> shift)
	fraction := upper.significand & (one - 1)

	for position := decimalLength(whole); position > 0; {
		position--
		unit := powersOfTen[position]
		digit := whole / unit
		whole %= unit
		if digit != 0 || len(digits) > 0 {
			digits = append(digits, byte('0'+digit))
		}
		rest := uint64(whole)<<shift + fraction
		if rest <= width {
			approach(digits, width, rest, uint64(unit)<<shift, distance)
			return digits, position
		}
	}
	for position := 1; ; position++ {
		fraction *= 10
		width *= 10
		digit := byte(fraction >> shift)
		if digit != 0 || len(digits) > 0 {
			digits = append(digits, '0'+digit)
		}
		fraction &= one - 1
		if fraction < width {
			scale := uint64(0)
			if position < 9 {
				scale = uint64(powersOfTen[position])
			}
			approach(digits, width, fraction, one, distance*scale)
			return digits, -position
		}
	}
}

// approach lowers the last digit as long as that brings the text closer to the exact value and stays inside the interval.
// rest is how far the digits are below the upper end, unit what the last digit counts.
func approach(digits []byte, width, rest, unit, distance uint64) {
	for rest < distance && width-rest >= unit && (rest+unit < distance || distance-rest > rest+unit-distance) {
		digits[len(digits)-1]--
		rest += unit
	}
}

var powersOfTen = [...]uint32{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// decimalLength counts the decimal digits of n. n has at most nine here.
func decimalLength(n uint32) int {
	length := 1
	for length < 9 && n >= powersOfTen[length] {
		length++
	}
	return length
}

// cachedPower returns 10^k such that a significand with the given binary exponent times 10^k has one between -60 and -32, and
// -k, the decimal exponent that makes up for it.
func cachedPower(exponent int) (scaled, int) {
	x := -61 - exponent
	k := x*78913>>18 + 1 // the next integer above x*log10(2), right for every x that occurs (tested)
	if x == 0 {
		k = 0
	}
	index := (k+347)>>3 + 1
	decimal := firstCachedPower + index*8
	// 10^decimal = significand x 2^(floor(log2(10^decimal)) - 63)
	return scaled{cachedPowers[index], decimal*217706>>16 - 63}, -decimal
}

const firstCachedPower = -348
