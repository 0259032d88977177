package playjson

import (
	"math"
	"strconv"
	"strings"
)

// Decimal is a decimal number with at most 34 significant digits: Digits × 10^Exponent.
// Digits has neither leading nor trailing zeros; it is "" for zero.
type Decimal struct {
	Negative bool
	Digits   string
	Exponent int
}

// maxDigits is the precision of java.math.MathContext.DECIMAL128.
const maxDigits = 34

// parseDecimal reads a number that is already known to have JSON's form. scale is what
// Java's BigDecimal of the (rounded) text would have.
func parseDecimal(text string) (d Decimal, scale int) {
	rest, negative := strings.CutPrefix(text, "-")
	exponent := 0
	if at := strings.IndexAny(rest, "eE"); at >= 0 {
		written, err := strconv.Atoi(strings.TrimPrefix(rest[at+1:], "+"))
		if err != nil {
			// Far beyond any limit; the caller refuses it by its scale.
			written = math.MaxInt32
			if rest[at+1] == '-' {
				written = -math.MaxInt32
			}
		}
		rest, exponent = rest[:at], written
	}
	whole, fraction, _ := strings.Cut(rest, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	exponent -= len(fraction)
	if len(digits) > maxDigits {
		exponent += len(digits) - maxDigits
		digits = roundHalfEven(digits)
		if len(digits) > maxDigits {
			digits, exponent = digits[:maxDigits], exponent+1
		}
	}
	scale = -exponent
	trimmed := strings.TrimRight(digits, "0")
	exponent += len(digits) - len(trimmed)
	if trimmed == "" {
		return Decimal{}, scale
	}
	return Decimal{negative, trimmed, exponent}, scale
}

// roundHalfEven cuts digits to maxDigits; a carry can make it one longer.
func roundHalfEven(digits string) string {
	kept, rest := []byte(digits[:maxDigits]), digits[maxDigits:]
	half := "5" + strings.Repeat("0", len(rest)-1)
	if rest < half || rest == half && (kept[maxDigits-1]-'0')%2 == 0 {
		return string(kept)
	}
	for i := maxDigits - 1; i >= 0; i-- {
		if kept[i] < '9' {
			kept[i]++
			return string(kept)
		}
		kept[i] = '0'
	}
	return "1" + string(kept)
}

// DecimalOf gives the decimal that Java's BigDecimal.valueOf(double) would; f must be finite.
func DecimalOf(f float64) Decimal {
	d, _ := parseDecimal(strconv.FormatFloat(f, 'e', -1, 64))
	return d
}

// DecimalOfInt gives a whole number.
func DecimalOfInt(i int64) Decimal {
	d, _ := parseDecimal(strconv.FormatInt(i, 10))
	return d
}

// Float is the nearest double; infinite when out of range.
func (d Decimal) Float() float64 {
	if d.Digits == "" {
		return 0
	}
	f, _ := strconv.ParseFloat(d.Digits+"e"+strconv.Itoa(d.Exponent), 64)
	if d.Negative {
		return -f
	}
	return f
}

// Int64 is the number as an integer, if it is one that fits.
func (d Decimal) Int64() (value int64, ok bool) {
	if d.Digits == "" {
		return 0, true
	}
	if d.Exponent < 0 || d.Exponent > 19 {
		return 0, false
	}
	text := d.Digits + strings.Repeat("0", d.Exponent)
	if d.Negative {
		text = "-" + text
	}
	value, err := strconv.ParseInt(text, 10, 64)
	return value, err == nil
}

// Append writes the number as play-json does: no trailing zeros; plain between 1e-10 and
// 1e20, in Java's scientific form outside.
func (d Decimal) Append(dst []byte) []byte {
	if d.Digits == "" {
		return append(dst, '0')
	}
	if d.Negative {
		dst = append(dst, '-')
	}
	adjusted := d.Exponent + len(d.Digits) - 1
	switch {
	case d.Exponent >= 0 && adjusted < 20:
		dst = append(dst, d.Digits...)
		return appendZeros(dst, d.Exponent)
	case d.Exponent < 0 && adjusted < 20 && adjusted >= -10:
		point := len(d.Digits) + d.Exponent
		if point <= 0 {
			dst = append(dst, '0', '.')
			dst = appendZeros(dst, -point)
			return append(dst, d.Digits...)
		}
		dst = append(dst, d.Digits[:point]...)
		dst = append(dst, '.')
		return append(dst, d.Digits[point:]...)
	}
	dst = append(dst, d.Digits[0])
	if len(d.Digits) > 1 {
		dst = append(dst, '.')
		dst = append(dst, d.Digits[1:]...)
	}
	dst = append(dst, 'E')
	if adjusted > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(adjusted), 10)
}

func appendZeros(dst []byte, count int) []byte {
	for range count {
		dst = append(dst, '0')
	}
	return dst
}

// AppendPlayDouble writes a double as play-json does: 1, 0.1, 10000000.
func AppendPlayDouble(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return DecimalOf(f).Append(dst)
}

// AppendJavaDouble writes a double as Java's Double.toString does: 1.0, 0.1, 1.0E7.
func AppendJavaDouble(dst []byte, f float64) []byte {
	magnitude := math.Abs(f)
	if magnitude >= 1e-3 && magnitude < 1e7 || f == 0 {
		start := len(dst)
		dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
		for _, c := range dst[start:] {
			if c == '.' {
				return dst
			}
		}
		return append(dst, '.', '0')
	}
	text := strconv.FormatFloat(f, 'E', -1, 64)
	mantissa, exponent, _ := strings.Cut(text, "E")
	dst = append(dst, mantissa...)
	if !strings.Contains(mantissa, ".") {
		dst = append(dst, '.', '0')
	}
	dst = append(dst, 'E')
	power, _ := strconv.Atoi(exponent)
	return strconv.AppendInt(dst, int64(power), 10)
}
