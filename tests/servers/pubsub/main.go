// Google's in-memory Pub/Sub server (pstest) behind the REST interface that Google publishes for it.
//
// pstest keeps topics, subscriptions, ordering keys and messages. What it lacks is added here: the access token (a
// service account's own, signed by RS256) is checked where a public key is given, and a pull answers in the order of
// publishing. It prints its port, and ends when its standard input does.
package main

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"io/ioutil"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"sort"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/pstest"
	"github.com/golang/protobuf/jsonpb"
	"github.com/golang/protobuf/proto"
	pb "google.golang.org/genproto/googleapis/pubsub/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const scope = "https://www.googleapis.com/auth/pubsub"

var (
	keyFile   = flag.String("key", "", "file of the public key that access tokens must be signed with; none are asked for without")
	publisher = flag.String("publisher", "", "the one account that may do anything; others are denied")
	resource  = regexp.MustCompile(`^/v1/(projects/[^/]+/(topics|subscriptions)/[^/:]+)(?::([a-z]+))?$`)
	// google.rpc.Code as HTTP status, as google/rpc/code.proto says
	httpStatus = map[codes.Code]int{
		codes.OK: 200, codes.InvalidArgument: 400, codes.FailedPrecondition: 400, codes.Unauthenticated: 401,
		codes.PermissionDenied: 403, codes.NotFound: 404, codes.AlreadyExists: 409, codes.Unavailable: 503,
	}
	codeNames = map[codes.Code]string{
		codes.InvalidArgument: "INVALID_ARGUMENT", codes.FailedPrecondition: "FAILED_PRECONDITION",
		codes.Unauthenticated: "UNAUTHENTICATED", codes.PermissionDenied: "PERMISSION_DENIED",
		codes.NotFound: "NOT_FOUND", codes.AlreadyExists: "ALREADY_EXISTS", codes.Unavailable: "UNAVAILABLE",
	}
)

type gateway struct {
	server *pstest.GServer
	key    *rsa.PublicKey
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := g.answered(r)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if err != nil {
		code := status.Code(err)
		said := map[string]interface{}{"code": statusOf(code), "message": status.Convert(err).Message(), "status": codeNames[code]}
		w.WriteHeader(statusOf(code))
		json.NewEncoder(w).Encode(map[string]interface{}{"error": said})
		return
	}
	if err := (&jsonpb.Marshaler{Indent: "  "}).Marshal(w, answer); err != nil {
		log.Print(err)
	}
}

func statusOf(code codes.Code) int {
	if known, ok := httpStatus[code]; ok {
		return known
	}
	return 500
}

func (g *gateway) answered(r *http.Request) (proto.Message, error) {
	if err := g.authorized(r.Header.Get("Authorization")); err != nil {
		return nil, err
	}
	path := resource.FindStringSubmatch(r.URL.Path)
	if path == nil {
		return nil, status.Error(codes.NotFound, "no such method")
	}
	name, ctx := path[1], context.Background()
	switch r.Method + " " + path[2] + " " + path[3] {
	case "PUT topics ":
		return g.server.CreateTopic(ctx, &pb.Topic{Name: name})
	case "POST topics publish":
		request := &pb.PublishRequest{}
		if err := read(r, request); err != nil {
			return nil, err
		}
		request.Topic = name
		return g.server.Publish(ctx, request)
	case "PUT subscriptions ":
		request := &pb.Subscription{}
		if err := read(r, request); err != nil {
			return nil, err
		}
		request.Name = name
		return g.server.CreateSubscription(ctx, request)
	case "POST subscriptions pull":
		request := &pb.PullRequest{}
		if err := read(r, request); err != nil {
			return nil, err
		}
		request.Subscription = name
		return g.pulled(ctx, request)
	case "POST subscriptions acknowledge":
		request := &pb.AcknowledgeRequest{}
		if err := read(r, request); err != nil {
			return nil, err
		}
		request.Subscription = name
		return g.server.Acknowledge(ctx, request)
	}
	return nil, status.Error(codes.NotFound, "no such method")
}

// Google refuses unknown fields and malformed base64 too.
func read(r *http.Request, into proto.Message) error {
	body, err := ioutil.ReadAll(io.LimitReader(r.Body, 10<<20))
	if err == nil {
		err = jsonpb.UnmarshalString(string(body), into)
	}
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	return nil
}

func (g *gateway) pulled(ctx context.Context, request *pb.PullRequest) (proto.Message, error) {
	answer, err := g.server.Pull(ctx, request)
	if err != nil {
		return nil, err
	}
	number := func(i int) (n int) {
		fmt.Sscanf(answer.ReceivedMessages[i].Message.MessageId, "m%d", &n)
		return n
	}
	sort.SliceStable(answer.ReceivedMessages, func(i, j int) bool { return number(i) < number(j) })
	return answer, nil
}

// authorized checks a self-signed access token as AIP-4111 describes it.
func (g *gateway) authorized(header string) error {
	if g.key == nil {
		return nil
	}
	refused := status.Error(codes.Unauthenticated, "Request had invalid authentication credentials.")
	parts := strings.Split(strings.TrimPrefix(header, "Bearer "), ".")
	if !strings.HasPrefix(header, "Bearer ") || len(parts) != 3 {
		return refused
	}
	signature, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[2], "="))
	if err != nil {
		return refused
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(g.key, crypto.SHA256, digest[:], signature) != nil {
		return refused
	}
	var claims struct {
		Iss, Sub, Scope string
		Iat, Exp        int64
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	now := time.Now().Unix()
	if err != nil || json.Unmarshal(text, &claims) != nil || claims.Iss != claims.Sub || claims.Scope != scope {
		return refused
	}
	if claims.Iat > now+60 || claims.Exp < now || claims.Exp > claims.Iat+3600 {
		return refused
	}
	if claims.Iss != *publisher {
		return status.Error(codes.PermissionDenied, "User not authorized to perform this action.")
	}
	return nil
}

func main() {
	flag.Parse()
	g := &gateway{server: &pstest.NewServer().GServer}
	if *keyFile != "" {
		text, err := ioutil.ReadFile(*keyFile)
		if err != nil {
			log.Fatal(err)
		}
		block, _ := pem.Decode(text)
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			log.Fatal(err)
		}
		g.key = key.(*rsa.PublicKey)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		io.Copy(ioutil.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(http.Serve(listener, g))
}
