package libprocess

import (
	"net/netip"
	"strconv"
)

// appendMessage appends the request that carries a message, byte for byte as the
// original's MessageEncoder writes it (3rdparty/libprocess/src/encoder.hpp): header
// order, one chunk, and neither Content-Length nor Transfer-Encoding for an empty body.
func appendMessage(dst []byte, from UPID, toID string, to netip.AddrPort, name string, body []byte) []byte {
	dst = append(dst, "POST "...)
	if toID != "" {
		dst = append(dst, '/')
		dst = append(dst, toID...)
	}
	dst = append(dst, '/')
	dst = append(dst, name...)
	dst = append(dst, " HTTP/1.1\r\nUser-Agent: libprocess/"...)
	dst = from.AppendTo(dst)
	dst = append(dst, "\r\nLibprocess-From: "...)
	dst = from.AppendTo(dst)
	dst = append(dst, "\r\nConnection: Keep-Alive\r\nHost: "...)
	dst = to.AppendTo(dst)
	if len(body) == 0 {
		return append(dst, "\r\n\r\n"...)
	}
	dst = append(dst, "\r\nTransfer-Encoding: chunked\r\n\r\n"...)
	dst = strconv.AppendUint(dst, uint64(len(body)), 16)
	dst = append(dst, "\r\n"...)
	dst = append(dst, body...)
	return append(dst, "\r\n0\r\n\r\n"...)
}
