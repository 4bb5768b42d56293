package api

import (
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"
	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"strongroom/identity"
	"strongroom/identity/reqsign"
)

// Named bounds of the stream.
const (
	streamPath       = "/v1/stream"
	maxSockets       = 1024 // open at once
	maxSocketsPerIP  = 32
	maxFrame         = 4 << 10 // bytes of a client's frame
	maxSubscriptions = 32      // of a stream
	sendQueue        = 64      // messages that wait for a reader
	framesPerSecond  = 20      // of a client
	frameBurst       = 100
	streamLife       = 12 * time.Hour // then the client opens another
)

// routeStream serves the stream outside the framework and documents it by hand.
func (s *Server) routeStream() {
	s.engine.GET(streamPath, s.stream)
	s.api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "stream", Method: http.MethodGet, Path: streamPath, Tags: []string{"Stream"},
		Summary: "Follow markets and the account", Description: streamText,
		Security: []map[string][]string{{}, {securityName: {}}},
		Responses: map[string]*huma.Response{
			"101":     {Description: "A WebSocket of JSON text frames"},
			"default": problemResponse(s.api),
		},
	})
}

// streamText describes the stream's messages in the document and on its page.
const streamText = `A WebSocket with JSON text frames, at most 4 KiB each from the client. Markets are for everybody; orders, balances and transfers need a signed handshake (scope read), or the session of the trade page from the page's own origin.

The client sends {"op":"subscribe","channel":"book","market":"BTC-USDC"}, the same with "unsubscribe", or {"op":"ping"}, which is answered with {"type":"pong"}. Channels are book, trades, ticker and candles (with market; candles with interval too: 1s, 1m, 5m, 15m, 1h, 4h, 1d), and orders, balances and transfers (without). At most 32 subscriptions.

Each subscription begins with a message of type snapshot and goes on with update: {"type":"update","channel":"book","market":"BTC-USDC","seq":812,"prev":809,...}. On channels of markets prev is the seq of the subscription's message before: where it is not, something was lost; subscribe again. A new snapshot may come at any time and replaces all before it. Messages of a market come at most ten times a second; a slow reader is told of the newest state in one message.

book: bids and asks as lists of [price, quantity]; in a snapshot all, best first, in an update those that changed, quantity 0 for a level that is gone. trades: a list of seq, time, price, quantity, side (of who took), oldest first. ticker: last, bid, ask, open, high, low, change, baseVolume, quoteVolume, trades of the last 24 hours, with state and until of the market. candles: interval, and candles as GET candles lists them: those that changed.

orders: in a snapshot all orders that wait, in an update orders as they are now and fills as they happened. balances: available and reserved of each asset, in an update those that changed. On both, updates have a greater seq than the snapshot before them, and nothing between is lost. transfers: as GET transfers lists them, in a snapshot the newest, in an update one that has ended; seq is zero.

Errors are {"type":"error","code":"unknown_market","text":"...","fix":"..."} and leave the stream open, but a frame that cannot be read closes it with status 1007. 1008 closes a client that does not read (slow reader) or sends too much, and within seconds a stream whose key was revoked (key revoked) or whose session is over (session ended); 1009 one whose frame is too large, 1001 says that the server goes away, 1013 that matching cannot be reached: come back.`

// visitor is who opened a stream.
type visitor struct {
	customer string // empty for everybody
	ip       string
	guard    *guard // nil for everybody
}

// stream takes a WebSocket in and serves it until either side ends it.
func (s *Server) stream(c *gin.Context) {
	who, problem := s.visitor(c)
	if problem != nil {
		s.fail(c, problem)
		return
	}
	if !s.sockets.enter(who.ip) {
		s.fail(c, newProblem(codeOverloaded, "too many streams are open; an address may have a few"))
		return
	}
	defer s.sockets.leave(who.ip)
	// The origin was looked at where a cookie tells who asks; market data is for everybody.
	conn, err := websocket.Accept(c.Writer, c.Request, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		trailOf(c.Request.Context()).cause = err
		c.Abort()
		return // it was answered
	}
	s.running.Add(1)
	defer s.running.Done()
	newSocket(s, conn, who).serve(c.Request.Context())
}

// visitor tells who asks for a stream: by signature where there is one, else by the
// page's session, else it is anybody.
func (s *Server) visitor(c *gin.Context) (visitor, *Problem) {
	who := visitor{ip: c.ClientIP()}
	if !c.IsWebsocket() {
		return who, newProblem(codeUpgrade, "header.Upgrade: this is a WebSocket",
			FieldProblem{"header.Upgrade", "is not websocket", "open a WebSocket, version 13"})
	}
	if c.Request.URL.RawQuery != "" {
		return who, newProblem(codeInvalid, "query: the stream takes no parameters", FieldProblem{"query", "the stream takes no parameters", "remove them"})
	}
	if c.GetHeader(reqsign.HeaderKey) != "" || c.GetHeader(reqsign.HeaderSignature) != "" {
		p, problem := s.authenticate(c, identity.Read)
		who.customer, who.guard = p.Customer, s.guardKey(p.Key)
		return who, problem
	}
	if s.cfg.Session == nil {
		return who, nil
	}
	customer, ok := s.cfg.Session(c.Request)
	if !ok {
		return who, nil
	}
	if !ownOrigin(c.Request) {
		return who, newProblem(codeForbidden, "a session opens streams from its own page only",
			FieldProblem{"header.Origin", "is another site", "open the stream from the trade page, or sign the handshake"})
	}
	who.customer, who.guard = customer, s.guardSession(c.Request)
	return who, nil
}

// ownOrigin tells whether a page of ours sent a request.
func ownOrigin(r *http.Request) bool {
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && origin.Host != "" && origin.Host == r.Host
}
