// A worker whose only job is a timer; clock.js says why.
onmessage = ({ data: { id, ms } }) => setTimeout(() => postMessage(id), ms);
