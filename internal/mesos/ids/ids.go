// Package ids makes and checks the identifiers of the Mesos API.
//
// Comes in: counters, texts and wire ids. Goes out: ids in the original's formats
// and errors in its words (src/common/validation.cpp, src/master/master.cpp). The
// random ones come from the system's random source; nothing else is I/O.
package ids

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"stoa/internal/mesos/mesospb"
)

// UUID is 16 random bytes with the version and variant bits of a random UUID, as
// they go on the wire in bytes fields (status and operation uuids).
type UUID [16]byte

// NewUUID returns a new random UUID.
func NewUUID() UUID {
	var u UUID
	_, _ = rand.Read(u[:]) // never fails: the runtime ends the process instead
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

// UUIDFromBytes reads the wire form: 16 bytes with a version of 1 to 5. The error
// is that of the original's stout/uuid.hpp.
func UUIDFromBytes(b []byte) (UUID, error) {
	if len(b) != len(UUID{}) || b[6]>>4 < 1 || b[6]>>4 > 5 {
		return UUID{}, errors.New("Not a valid UUID")
	}
	return UUID(b), nil
}

// ParseUUID reads the 8-4-4-4-12 text form, in either case.
func ParseUUID(text string) (UUID, error) {
	invalid := errors.New("invalid uuid string")
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return UUID{}, invalid
	}
	b, err := hex.DecodeString(text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:])
	if err != nil {
		return UUID{}, invalid
	}
	return UUID(b), nil
}

// Bytes is the wire form.
func (u UUID) Bytes() []byte { return u[:] }

// String is the lower case 8-4-4-4-12 text form.
func (u UUID) String() string {
	var text [36]byte
	hex.Encode(text[0:], u[0:4])
	hex.Encode(text[9:], u[4:6])
	hex.Encode(text[14:], u[6:8])
	hex.Encode(text[19:], u[8:10])
	hex.Encode(text[24:], u[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// NewMasterID returns the id of a master process; every start has a new one.
func NewMasterID() string { return NewUUID().String() }

// NewContainerID returns the id of a top-level container.
func NewContainerID() *mesospb.ContainerID {
	value := NewUUID().String()
	return &mesospb.ContainerID{Value: &value}
}

// Framework is the n-th framework id of a master, n from 0.
func Framework(masterID string, n uint64) string {
	digits := strconv.FormatUint(n, 10)
	if len(digits) < 4 {
		digits = "0000"[len(digits):] + digits
	}
	return masterID + "-" + digits
}

// Agent is the n-th agent id of a master, n from 0.
func Agent(masterID string, n uint64) string {
	return masterID + "-S" + strconv.FormatUint(n, 10)
}

// Offer is the n-th offer or inverse offer id of a master; they share the counter.
func Offer(masterID string, n uint64) string {
	return masterID + "-O" + strconv.FormatUint(n, 10)
}

// ContainerText is the text of a container id, parents first: "parent.child".
func ContainerText(id *mesospb.ContainerID) string {
	if id.GetParent() == nil {
		return id.GetValue()
	}
	return ContainerText(id.GetParent()) + "." + id.GetValue()
}

// maxLength is the longest file name, which an id may become.
const maxLength = 255

// Validate checks what every id must be, since ids become directory names. The
// texts are the original's.
func Validate(id string) error {
	switch {
	case id == "":
		return errors.New("ID must not be empty")
	case len(id) > maxLength:
		return errors.New("ID must not be greater than 255 characters")
	case id == "." || id == "..":
		return errors.New("'" + id + "' is disallowed")
	}
	for i := range len(id) {
		if c := id[i]; c < 0x20 || c == 0x7f || c == '/' || c == '\\' {
			return errors.New("'" + id + "' contains invalid characters")
		}
	}
	return nil
}

// maxContainerLength keeps room in file names for what is added to a container id.
const maxContainerLength = 242

// ValidateContainer checks a container id and its parents. On top of what every
// id must be it is shorter and has neither "." nor space, since ids are joined
// with dots (src/slave/validation.cpp).
func ValidateContainer(id *mesospb.ContainerID) error {
	value := id.GetValue()
	if err := Validate(value); err != nil {
		return err
	}
	if len(value) > maxContainerLength {
		return errors.New("'ContainerID.value' '" + value + "' exceeds the maximum length (" + strconv.Itoa(maxContainerLength) + ")")
	}
	if strings.ContainsAny(value, ". ") {
		return errors.New("'ContainerID.value' '" + value + "' contains invalid characters")
	}
	if id.GetParent() == nil {
		return nil
	}
	if err := ValidateContainer(id.GetParent()); err != nil {
		return errors.New("'ContainerID.parent' is invalid: " + err.Error())
	}
	return nil
}
