package mesosjson

import "errors"

// decodeBase64 is the original's lenient decoder: white space is skipped, the first '=' ends the text, missing padding and
// left-over bits pass. Characters outside the standard alphabet are refused, '-' and '_' too.
func decodeBase64(s string) ([]byte, error) {
	out := make([]byte, 0, len(s)/4*3+3)
	group, have := uint32(0), 0
	for i := range len(s) {
		c := s[i]
		if c == '=' {
			break
		}
		if c == ' ' || '\t' <= c && c <= '\r' {
			continue
		}
		v := sextets[c]
		if v < 0 {
			return nil, errors.New("Invalid character '" + s[i:i+1] + "'") // one byte, also of a longer character
		}
		group, have = group<<6|uint32(v), have+1
		if have == 4 {
			out = append(out, byte(group>>16), byte(group>>8), byte(group))
			group, have = 0, 0
		}
	}
	switch have {
	case 2:
		out = append(out, byte(group>>4))
	case 3:
		out = append(out, byte(group>>10), byte(group>>2))
	}
	return out, nil
}

// sextets gives the value of each character of the standard alphabet, -1 for the others.
var sextets = func() (table [256]int8) {
	for i := range table {
		table[i] = -1
	}
	for i, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		table[c] = int8(i)
	}
	return table
}()
