package mesosjson

import (
	"encoding/base64"
	"math"
)

// AppendString appends s as a JSON string. Escaped are the quote, the backslash and bytes below 0x20 (short forms for
// \b \f \n \r \t, else \u00XX in upper case). Everything else, also invalid UTF-8, goes through as it is.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		e := escapes[s[i]]
		if e == 0 {
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = append(dst, '\\', e)
		if e == 'u' {
			dst = append(dst, '0', '0', hexDigits[s[i]>>4], hexDigits[s[i]&15])
		}
		start = i + 1
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

const hexDigits = "0123456789ABCDEF"

// escapes gives the character after the backslash for the bytes that need one, 0 for the others.
var escapes = func() (table [256]byte) {
	for c := range 0x20 {
		table[c] = 'u'
	}
	table['\b'], table['\f'], table['\n'], table['\r'], table['\t'] = 'b', 'f', 'n', 'r', 't'
	table['"'], table['\\'] = '"', '\\'
	return table
}()

// AppendBytes appends b as a JSON string in standard base64 with padding.
func AppendBytes(dst []byte, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// AppendDouble appends f as the original's writer prints it: Grisu2 digits (they always read back as f, but are not always
// the shortest), plain notation with at least one decimal for 1e-6 <= |f| < 1e21, else an exponent without plus sign. Infinities
// are the strings "Infinity" and "-Infinity"; NaN is bare, which is not JSON.
func AppendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	if math.Signbit(f) {
		dst = append(dst, '-')
		f = -f
	}
	if f == 0 {
		return append(dst, "0.0"...)
	}
	var buffer [32]byte
	digits, exponent := grisu2(&buffer, f)
	return appendDecimal(dst, digits, exponent)
}

// appendDecimal lays out the number digits x 10^exponent.
func appendDecimal(dst, digits []byte, exponent int) []byte {
	point := len(digits) + exponent // how many digits stand before the decimal point
	switch {
	case exponent >= 0 && point <= 21:
		dst = append(dst, digits...)
		for range exponent {
			dst = append(dst, '0')
		}
		return append(dst, '.', '0')
	case 0 < point && point <= 21:
		dst = append(dst, digits[:point]...)
		dst = append(dst, '.')
		return append(dst, digits[point:]...)
	case -6 < point && point <= 0:
		dst = append(dst, '0', '.')
		for range -point {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(dst, '.')
		dst = append(dst, digits[1:]...)
	}
	dst = append(dst, 'e')
	return appendExponent(dst, point-1)
}

func appendExponent(dst []byte, e int) []byte {
	if e < 0 {
		dst = append(dst, '-')
		e = -e
	}
	if e >= 100 {
		dst = append(dst, byte('0'+e/100))
	}
	if e >= 10 {
		dst = append(dst, byte('0'+e/10%10))
	}
	return append(dst, byte('0'+e%10))
}
