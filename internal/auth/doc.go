// Package auth decides who may do what: it reads credentials and access control lists
// and answers whether a principal may perform an action on an object.
//
// Comes in: the text of the files that --credentials, --credential, --acls and
// --firewall_rules name, and questions. Goes out: secrets, decisions, and which part of a
// cluster a principal may see. It does no I/O, and a value of it does not change once
// made, so any number of goroutines may ask. How a principal proves who it is, is not
// decided here: package httpd does that for HTTP, crammd5 for libprocess.
//
// Facts: src/authorizer/local/authorizer.cpp, src/credentials/credentials.hpp,
// include/mesos/authorizer/{acls,authorizer}.proto of the original.
package auth

// Subject is who wants to do something. The zero value is somebody who did not
// authenticate: access control lists match it as "ANY".
type Subject struct {
	// Principal is the name that was proven.
	Principal string
	// Claims are what a token says of its bearer; a bearer of claims without a
	// principal may do no more than what belongs to the container named in them.
	Claims map[string]string
}

// As is the subject of a principal; an empty one is nobody.
func As(principal string) Subject { return Subject{Principal: principal} }
