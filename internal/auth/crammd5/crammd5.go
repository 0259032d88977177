// Package crammd5 is both sides of the handshake by which agents and scheduler drivers
// prove to a master who they are: CRAM-MD5 (RFC 2195) without base64, in the messages of
// mesos.internal.Authentication*.
//
// Comes in: the messages of the other side. Goes out: the message to answer with and, at
// the end, who the client is. It does no I/O and knows no time; who carries the messages
// gives up a handshake that takes too long. Original: src/authentication/cram_md5/.
//
//	client                        master                     session
//	Authenticate{pid} ----------> starts a session
//	          <----------------------------- Mechanisms{CRAM-MD5}
//	Start{CRAM-MD5} -------------------------------> challenge
//	          <----------------------------- Step{challenge}
//	Step{principal digest} ------------------------> compares
//	          <----------------------------- Completed, Failed or Error
package crammd5

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"stoa/internal/mesos/internalpb"

	"google.golang.org/protobuf/proto"
)

// Mechanism is the only one that the original's built-in authenticator offers.
const Mechanism = "CRAM-MD5"

// Digest is what a client shows instead of its secret: the lower-case hex of
// HMAC-MD5 over the challenge.
func Digest(secret string, challenge []byte) string {
	mac := hmac.New(md5.New, []byte(secret))
	mac.Write(challenge)
	return hex.EncodeToString(mac.Sum(nil))
}

// Outcome says how a handshake stands.
type Outcome int

const (
	// Pending: the other side has the word.
	Pending Outcome = iota
	// Authenticated: the client is who it says.
	Authenticated
	// Refused: it is not, or nobody knows it. That is final.
	Refused
	// Broken: the messages make no sense; a new attempt may.
	Broken
)

type state int

const (
	starting state = iota
	stepping
	over
)

// Server is one handshake on the master's side. It belongs to one goroutine.
type Server struct {
	state     state
	secrets   map[string]string
	challenge []byte
	principal string
}

// NewServer begins a handshake with what to send first. The challenge must be new for
// each; see Challenge.
func NewServer(secrets map[string]string, challenge string) (*Server, proto.Message) {
	return &Server{secrets: secrets, challenge: []byte(challenge)},
		&internalpb.AuthenticationMechanismsMessage{Mechanisms: []string{Mechanism}}
}

// Challenge is a challenge in the form of the original's library: random and time as
// numbers, and the name of the host.
func Challenge(random, seconds uint64, host string) string {
	return fmt.Sprintf("<%d.%d@%s>", random, seconds, host)
}

// Receive takes in a message of the client and returns what to answer. Messages that
// belong to no handshake are answered with nil and change nothing.
func (s *Server) Receive(m proto.Message) (proto.Message, Outcome) {
	switch m := m.(type) {
	case *internalpb.AuthenticationStartMessage:
		switch {
		case s.state != starting:
			return s.broken("Unexpected authentication 'start' received")
		case m.GetMechanism() != Mechanism:
			return s.broken("SASL(-4): no mechanism available: Couldn't find mech " + m.GetMechanism())
		case len(m.GetData()) > 0:
			return s.broken("SASL(-5): bad protocol / cancel: CRAM-MD5 does not accept initial data")
		}
		s.state = stepping
		return &internalpb.AuthenticationStepMessage{Data: s.challenge}, Pending
	case *internalpb.AuthenticationStepMessage:
		if s.state != stepping {
			return s.broken("Unexpected authentication 'step' received")
		}
		return s.check(string(m.GetData()))
	}
	return nil, Pending
}

// check compares the client's answer: its principal, a blank, and the digest. The
// principal may have blanks in it.
func (s *Server) check(answer string) (proto.Message, Outcome) {
	i := strings.LastIndexByte(answer, ' ')
	if i <= 0 {
		return s.broken("SASL(-5): bad protocol / cancel: need authentication name")
	}
	principal, digest := answer[:i], answer[i+1:]
	secret, known := s.secrets[principal]
	// Computed for unknown ones too: the time tells nobody which principals there are.
	same := hmac.Equal([]byte(Digest(secret, s.challenge)), []byte(digest))
	s.state = over
	if !known || !same {
		return &internalpb.AuthenticationFailedMessage{}, Refused
	}
	s.principal = principal
	return &internalpb.AuthenticationCompletedMessage{}, Authenticated
}

func (s *Server) broken(why string) (proto.Message, Outcome) {
	s.state = over
	return &internalpb.AuthenticationErrorMessage{Error: &why}, Broken
}

// Principal is who the client is, once it is Authenticated.
func (s *Server) Principal() string { return s.principal }

// Client is one handshake on the side of an agent or a driver. It belongs to one
// goroutine.
type Client struct {
	state             state
	principal, secret string
}

// NewClient begins a handshake for the process with the UPID pid, with what to send to
// the master.
func NewClient(pid, principal, secret string) (*Client, proto.Message) {
	return &Client{principal: principal, secret: secret}, &internalpb.AuthenticateMessage{Pid: &pid}
}

// Receive takes in a message of the master or its session and returns what to answer to
// the sender, nil for nothing. The error says why the handshake is Broken.
func (c *Client) Receive(m proto.Message) (proto.Message, Outcome, error) {
	switch m := m.(type) {
	case *internalpb.AuthenticationMechanismsMessage:
		if c.state != starting {
			return c.broken(errors.New("Unexpected authentication 'mechanisms' received"))
		}
		for _, one := range m.GetMechanisms() {
			if one == Mechanism {
				c.state = stepping
				return &internalpb.AuthenticationStartMessage{Mechanism: proto.String(Mechanism), Data: []byte{}}, Pending, nil
			}
		}
		return c.broken(fmt.Errorf("the master offers %q, this side knows %s only", m.GetMechanisms(), Mechanism))
	case *internalpb.AuthenticationStepMessage:
		if c.state != stepping {
			return c.broken(errors.New("Unexpected authentication 'step' received"))
		}
		answer := c.principal + " " + Digest(c.secret, m.GetData())
		return &internalpb.AuthenticationStepMessage{Data: []byte(answer)}, Pending, nil
	case *internalpb.AuthenticationCompletedMessage:
		if c.state != stepping {
			return c.broken(errors.New("Unexpected authentication 'completed' received"))
		}
		c.state = over
		return nil, Authenticated, nil
	case *internalpb.AuthenticationFailedMessage:
		c.state = over
		return nil, Refused, nil
	case *internalpb.AuthenticationErrorMessage:
		return c.broken(errors.New("Authentication error: " + m.GetError()))
	}
	return nil, Pending, nil
}

func (c *Client) broken(err error) (proto.Message, Outcome, error) {
	c.state = over
	return nil, Broken, err
}
