package checkpoint

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
)

// resourceState is the original's message mesos.internal.slave.ResourceState
// (src/slave/state.proto): operations are field 1, resources field 2.
type resourceState struct {
	operations []*mesospb.Operation
	resources  []*mesospb.Resource
}

// file returns the content of resources_and_operations.state.
func (s *resourceState) file() ([]byte, error) {
	content := make([]byte, 4)
	add := func(field protowire.Number, m proto.Message) error {
		body, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			return err
		}
		content = protowire.AppendTag(content, field, protowire.BytesType)
		content = protowire.AppendBytes(content, body)
		return nil
	}
	for _, operation := range s.operations {
		if err := add(1, operation); err != nil {
			return nil, err
		}
	}
	for _, resource := range s.resources {
		if err := add(2, resource); err != nil {
			return nil, err
		}
	}
	binary.NativeEndian.PutUint32(content, uint32(len(content)-4))
	return content, nil
}

func (s *resourceState) readFile(content []byte) error {
	if len(content) < 4 || uint64(binary.NativeEndian.Uint32(content)) > uint64(len(content)-4) {
		return fmt.Errorf("%w: shorter than it says", ErrCorrupt)
	}
	body := content[4 : 4+binary.NativeEndian.Uint32(content)]
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return fmt.Errorf("%w: %v", ErrCorrupt, protowire.ParseError(n))
		}
		body = body[n:]
		if kind != protowire.BytesType || number > 2 {
			if n = protowire.ConsumeFieldValue(number, kind, body); n < 0 {
				return fmt.Errorf("%w: %v", ErrCorrupt, protowire.ParseError(n))
			}
			body = body[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(body)
		if n < 0 {
			return fmt.Errorf("%w: %v", ErrCorrupt, protowire.ParseError(n))
		}
		body = body[n:]
		var err error
		if number == 1 {
			operation := &mesospb.Operation{}
			err = proto.Unmarshal(value, operation)
			s.operations = append(s.operations, operation)
		} else {
			resource := &mesospb.Resource{}
			err = proto.Unmarshal(value, resource)
			s.resources = append(s.resources, resource)
		}
		if err != nil {
			return fmt.Errorf("%w: %v", ErrCorrupt, err)
		}
	}
	return nil
}
