package libprocess

import "errors"

// bodyScanner finds the end of a request body in a stream, chunk by chunk.
type bodyScanner struct {
	framing framing
	// left is how many bytes of the body, or of the chunk, are to come.
	left  int64
	state chunkState
	// line counts the bytes of the line being read, to limit it.
	line int
	// digits counts those of the chunk size.
	digits int
	done   bool
}

type chunkState int

const (
	chunkSize    chunkState = iota // hex digits of the size
	chunkExt                       // the rest of the size line, up to CR
	chunkSizeLF                    // LF of the size line
	chunkData                      // left bytes of data
	chunkDataCR                    // CR after the data
	chunkDataLF                    // LF after the data
	trailer                        // first byte of a trailer line
	trailerField                   // the rest of a trailer line, up to CR
	trailerLF                      // LF of a trailer line
	lastLF                         // LF of the empty line that ends the body
)

// maxChunkLine limits chunk size lines and trailer lines, and maxTrailer all of the
// trailer.
const (
	maxChunkLine = 4 << 10
	maxTrailer   = 16 << 10
)

var errChunk = errors.New("malformed chunked body")

func (s *bodyScanner) reset(h *head) {
	*s = bodyScanner{framing: h.framing, done: h.framing == noBody}
	if h.framing == byLength {
		s.left = h.length
	}
}

// scan takes bytes of the body from the front of p. It returns how many it took, and
// the part of those that is content, which is at their end: p[n-content:n]. It stops
// after each piece of content and at the end of the body.
func (s *bodyScanner) scan(p []byte) (n, content int, err error) {
	if s.framing == byLength {
		n = int(min(s.left, int64(len(p))))
		s.left -= int64(n)
		s.done = s.left == 0
		return n, n, nil
	}
	for n < len(p) && !s.done {
		if s.state == chunkData {
			content = int(min(s.left, int64(len(p)-n)))
			n += content
			if s.left -= int64(content); s.left == 0 {
				s.state = chunkDataCR
			}
			return n, content, nil
		}
		if err := s.step(p[n]); err != nil {
			return n, 0, err
		}
		n++
	}
	return n, 0, nil
}

// step takes one byte that is not content.
func (s *bodyScanner) step(c byte) error {
	s.line++
	switch s.state {
	case chunkSize:
		if isHex(c) {
			if s.digits++; s.digits > 15 {
				return errChunk
			}
			s.left = s.left<<4 | int64(hexValue(c))
			return nil
		}
		if s.digits == 0 {
			return errChunk
		}
		s.state = chunkExt
		fallthrough
	case chunkExt:
		switch {
		case c == '\r':
			s.state = chunkSizeLF
		case c == '\n' || s.line > maxChunkLine:
			return errChunk
		case s.line == s.digits+1 && c != ';' && c != ' ' && c != '\t':
			return errChunk
		}
	case chunkSizeLF:
		if c != '\n' {
			return errChunk
		}
		s.state = chunkData
		if s.left == 0 {
			s.state = trailer
		}
		s.line, s.digits = 0, 0
	case chunkDataCR:
		if c != '\r' {
			return errChunk
		}
		s.state = chunkDataLF
	case chunkDataLF:
		if c != '\n' {
			return errChunk
		}
		s.state, s.line = chunkSize, 0
	case trailer:
		if c == '\r' {
			s.state = lastLF
			return nil
		}
		s.state = trailerField
		fallthrough
	case trailerField:
		switch {
		case c == '\r':
			s.state = trailerLF
		case c == '\n' || s.line > maxTrailer:
			return errChunk
		}
	case trailerLF:
		if c != '\n' {
			return errChunk
		}
		s.state = trailer
	case lastLF:
		if c != '\n' {
			return errChunk
		}
		s.done = true
	}
	return nil
}

func hexValue(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}
