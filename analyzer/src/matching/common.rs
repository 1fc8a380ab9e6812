//! Words that most logs have in most lines.

/// What filters that know no other text take as ordinary: they look for parts of words that are rare here.
pub const COMMON: &[u8] = b"info warn warning error debug trace level message msg time timestamp date started starting start \
    starts stopped stopping stop status state states stated updated updating update created creating create creation complete \
    completed completing finished done ready running run runs service services server servers task tasks deployment deployed \
    container containers image images instance instances user users group groups role roles name names request requests \
    response responses resource resources report reports reported import imported export exported port ports host hosts \
    address http https get post put delete patch path url uri api version query select insert from where into values for with \
    and the of to in on at by is are was were not no has have had been be this that its from host client connection connections \
    connected connecting database table index cache queue worker workers thread threads pool session sessions event events \
    stream streams log logs logger logging handler handled handling controller execute executed executing execution statement \
    statements prepared transaction transactions payment payments order orders item items catalog product products account \
    accounts customer customers checkout cart shipment batch job jobs scheduler scheduling scheduled sync synced registry \
    registered register deregistered cluster region network subnet private public attempt attempts retry retries data node \
    nodes memory size total count number rows left milliseconds seconds duration elapsed health healthy check checks target \
    targets load loaded loading download downloaded downloading upload package packages module modules file files directory \
    config configuration environment production test tests build building built install installed installing package process \
    processed processing processes template application applications component components element elements parameter \
    parameters property properties type types value values key keys id ids list listed set sets reset section sections action \
    actions function functions method methods class classes object objects string strings integer context content contents \
    page pages store stored storage search result results success successful successfully current last next first second \
    other another each every all any some more most new old local remote internal external default main master slave primary \
    replica leader member members certificate certificates private secure security access accessed accepted accept send sent \
    receive received open opened close closed enable enabled disable disabled available unavailable background monitor metric \
    metrics agent application/json text/html content-type user-agent mozilla compatible chrome safari linux windows x86_64 \
    com.example org.springframework java.lang node_modules site-packages usr/local/lib var/log src/main 127.0.0.1 0.0.0.0 \
    10.0.0.1 200 201 204 301 302 304 400 401 403 404 500 502 503 = : - [ ] ( ) { } \" ' , . / 2024 2025 2026 00:00:00.000Z";
