package crammd5

import (
	"stoa/internal/mesos/internalpb"

	"google.golang.org/protobuf/proto"
)

// Decode reads a message of the handshake by its full name. It returns nil for other
// names.
func Decode(name string, body []byte) (proto.Message, error) {
	var m proto.Message
	switch name {
	case "mesos.internal.AuthenticateMessage":
		m = new(internalpb.AuthenticateMessage)
	case "mesos.internal.AuthenticationMechanismsMessage":
		m = new(internalpb.AuthenticationMechanismsMessage)
	case "mesos.internal.AuthenticationStartMessage":
		m = new(internalpb.AuthenticationStartMessage)
	case "mesos.internal.AuthenticationStepMessage":
		m = new(internalpb.AuthenticationStepMessage)
	case "mesos.internal.AuthenticationCompletedMessage":
		m = new(internalpb.AuthenticationCompletedMessage)
	case "mesos.internal.AuthenticationFailedMessage":
		m = new(internalpb.AuthenticationFailedMessage)
	case "mesos.internal.AuthenticationErrorMessage":
		m = new(internalpb.AuthenticationErrorMessage)
	default:
		return nil, nil
	}
	if err := proto.Unmarshal(body, m); err != nil {
		return nil, err
	}
	return m, nil
}
