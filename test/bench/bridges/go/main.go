// A small bridge between a WhatsApp-like phone and a LiveKit room, made of pion/webrtc and LiveKit's Go SDK: RTP passes through
// as it is, each way. The benchmark compares the relay with it. It reads requests as lines of JSON and answers each with one.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
)

type request struct {
	Do    string `json:"do"`
	ID    string `json:"id"`
	SDP   string `json:"sdp"`
	URL   string `json:"url"`
	Token string `json:"token"`
}

type reply struct {
	ID    string `json:"id"`
	SDP   string `json:"sdp,omitempty"`
	Error string `json:"error,omitempty"`
}

type call struct {
	phone *webrtc.PeerConnection
	room  *lksdk.Room
}

var (
	api    *webrtc.API
	opus   = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	calls  = map[string]*call{}
	lock   sync.Mutex
	output = json.NewEncoder(os.Stdout)
)

func main() {
	media := &webrtc.MediaEngine{}
	codec := webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: 111}
	if err := media.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
		panic(err)
	}
	setting := webrtc.SettingEngine{}
	setting.SetIncludeLoopbackCandidate(true)
	setting.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	setting.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	api = webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(setting))

	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<16), 1<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			panic(err)
		}
		go carryOut(r)
	}
}

func carryOut(r request) {
	answer := reply{ID: r.ID}
	var err error
	switch r.Do {
	case "call":
		answer.SDP, err = bridge(r)
	case "close":
		closeCall(r.ID)
	default:
		err = fmt.Errorf("unknown request %q", r.Do)
	}
	if err != nil {
		answer.Error = err.Error()
	}
	lock.Lock()
	defer lock.Unlock()
	_ = output.Encode(answer)
}

// bridge answers the phone's offer and joins the room; the answer is ready when both tracks are in place.
func bridge(r request) (string, error) {
	phone, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	c := &call{phone: phone}
	lock.Lock()
	calls[r.ID] = c
	lock.Unlock()

	toPhone, err := webrtc.NewTrackLocalStaticRTP(opus, "audio", "business")
	if err != nil {
		return "", err
	}
	sender, err := phone.AddTrack(toPhone)
	if err != nil {
		return "", err
	}
	go drain(sender)

	toRoom, err := webrtc.NewTrackLocalStaticRTP(opus, "caller", "caller")
	if err != nil {
		return "", err
	}
	phone.OnTrack(func(remote *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { forward(remote, toRoom) })

	handlers := &lksdk.RoomCallback{ParticipantCallback: lksdk.ParticipantCallback{
		OnTrackSubscribed: func(remote *webrtc.TrackRemote, _ *lksdk.RemoteTrackPublication, _ *lksdk.RemoteParticipant) {
			go forward(remote, toPhone)
		},
	}}
	options := &lksdk.TrackPublicationOptions{Name: "caller", Source: livekit.TrackSource_MICROPHONE}
	if c.room, err = join(r, handlers, toRoom, options); err != nil {
		return "", err
	}

	offer := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: r.SDP}
	if err = phone.SetRemoteDescription(offer); err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(phone)
	answer, err := phone.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	if err = phone.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	local := phone.LocalDescription()
	if local == nil {
		return "", errors.New("no local description")
	}
	return local.SDP, nil
}

// join uses one connection for both ways, which costs the least. Observed with SDK 2.18.1 and server 1.13.5: now and then such a
// join fails ("invalid proposed signaling state transition"), and another attempt succeeds.
func join(r request, handlers *lksdk.RoomCallback, track webrtc.TrackLocal, options *lksdk.TrackPublicationOptions) (room *lksdk.Room, err error) {
	for range 10 {
		room, err = lksdk.ConnectToRoomWithToken(r.URL, r.Token, handlers, lksdk.WithSinglePeerConnection(),
			lksdk.WithTrack(track, options), lksdk.WithConnectTimeout(2*time.Second))
		if err == nil {
			return room, nil
		}
	}
	return nil, err
}

// forward passes packets on until a side is gone; the local track sets its own SSRC and payload type.
func forward(from *webrtc.TrackRemote, to *webrtc.TrackLocalStaticRTP) {
	for {
		packet, _, err := from.ReadRTP()
		if err != nil {
			return
		}
		// Extensions are numbered differently on the two connections.
		packet.Extension = false
		packet.Extensions = nil
		if err := to.WriteRTP(packet); err != nil {
			return
		}
	}
}

// drain reads the reports of a receiver, which interceptors see only when somebody reads.
func drain(sender *webrtc.RTPSender) {
	buffer := make([]byte, 1500)
	for {
		if _, _, err := sender.Read(buffer); err != nil {
			return
		}
	}
}

func closeCall(id string) {
	lock.Lock()
	c := calls[id]
	delete(calls, id)
	lock.Unlock()
	if c == nil {
		return
	}
	_ = c.phone.Close()
	if c.room != nil {
		c.room.Disconnect()
	}
}
