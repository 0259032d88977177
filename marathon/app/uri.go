package app

import "strings"

// extractable are the endings of archives that Mesos's fetcher unpacks.
var extractable = [...]string{".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".gz", ".tgz", ".tbz2", ".txz", ".zip"}

// isArchive tells whether the path of a URI ends like an archive (state/FetchUri.scala, isExtract).
func isArchive(uri string) bool {
	if !validURI(uri) {
		return false
	}
	path, _, _ := strings.Cut(uri, "#")
	path, _, _ = strings.Cut(path, "?")
	if scheme, rest, ok := strings.Cut(path, ":"); ok && !strings.Contains(scheme, "/") {
		if !strings.HasPrefix(rest, "/") {
			return false // opaque: it has no path
		}
		path = rest
	}
	if authority, ok := strings.CutPrefix(path, "//"); ok {
		if at := strings.IndexByte(authority, '/'); at >= 0 {
			path = authority[at:]
		} else {
			path = ""
		}
	}
	for _, ending := range extractable {
		if strings.HasSuffix(path, ending) {
			return true
		}
	}
	return false
}

// validURI tells whether java.net.URI would take the text: RFC 2396 with other characters
// than US-ASCII allowed.
func validURI(uri string) bool {
	for i := 0; i < len(uri); i++ {
		c := uri[i]
		switch {
		case c <= ' ' || c == 0x7F || strings.IndexByte("<>\"{}|\\^`", c) >= 0:
			return false
		case c == '%':
			if i+2 >= len(uri) || !isHex(uri[i+1]) || !isHex(uri[i+2]) {
				return false
			}
		case c == '#':
			if strings.IndexByte(uri[i+1:], '#') >= 0 {
				return false
			}
		}
	}
	rest, _, _ := strings.Cut(uri, "#")
	if at := strings.IndexAny(rest, ":/?"); at >= 0 && rest[at] == ':' {
		if !validScheme(rest[:at]) || at+1 == len(rest) {
			return false
		}
		rest = rest[at+1:]
	}
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		end := strings.IndexAny(authority, "/?")
		if end < 0 {
			end = len(authority)
		}
		if authority == "" || end == 0 && authority[0] != '/' {
			return false
		}
		return validBrackets(authority[:end]) && !strings.ContainsAny(authority[end:], "[]")
	}
	path, _, _ := strings.Cut(rest, "?")
	return !strings.ContainsAny(path, "[]")
}

func validScheme(scheme string) bool {
	for i := 0; i < len(scheme); i++ {
		c := scheme[i] | 0x20
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || !(scheme[i] >= '0' && scheme[i] <= '9' || strings.IndexByte("+-.", scheme[i]) >= 0)) {
			return false
		}
	}
	return scheme != ""
}

// validBrackets allows brackets only around an IPv6 address.
func validBrackets(authority string) bool {
	open, shut := strings.IndexByte(authority, '['), strings.IndexByte(authority, ']')
	if open < 0 && shut < 0 {
		return true
	}
	return open >= 0 && shut > open+1 && strings.Count(authority, "[")+strings.Count(authority, "]") == 2
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}
