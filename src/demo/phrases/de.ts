import { parsePhrases } from './parse.ts';

/** German lessons. The format is described in parse.ts. */
export const de = parsePhrases(`
@level: Anfänger | Mittelstufe | Fortgeschrittene
@title: {topic} | {topic}: Lektion {number} | Wiederholung: {topic} | {topic} mit {name} | Übung: {topic}
@welcome: Thema dieser Stunde: {topic}. Niveau: {level}. | Lektion {number} ({level}): {topic}. | Neue Stunde: {topic} ({level}).
@praise: Sehr gut! | Prima! | Genau. | Das war fast perfekt. | Schöner Satz! | Verstehe. | Gut, danke. | Tolle Aussprache! | Sehr gut! {name} hat dafür {number} Stunden gebraucht. | Gut, Sie haben sich das Wort vom {day} gemerkt.
@hesitation: Hm… | Mal überlegen… | Na ja… | Gute Frage! | Moment, bitte… | Also gut.
@remark: Ist das richtig so? | Das habe ich von {name} gelernt. | {name} hat es mir am {day} erklärt. | Das habe ich in {city} gehört. | Für diesen Satz habe ich {number} Wochen gebraucht. | Ich habe das mit {name} in {city} geübt. | Am {day} habe ich dabei noch {number} Fehler gemacht. | Ich glaube, {name} würde das anders sagen.
@name: Jürgen | Katrin | Björn | Frau Müller | Frau Weiß | Sören | Käthe | Lukas | Ayşe | Heike
@city: Berlin | München | Köln | Zürich | Wien | Hamburg | Düsseldorf | Leipzig | Nürnberg | Salzburg
@day: Montag | Dienstag | Mittwoch | Donnerstag | Freitag | Samstag | Sonntag
@time: halb acht | Viertel vor neun | zehn Uhr | zwölf Uhr mittags | zwanzig nach zwei | fünf Uhr nachmittags | acht Uhr abends
@number: zwei | drei | vier | fünf | sechs | sieben | acht | neun | zehn | elf | zwölf

# Begrüßung
Guten Tag! Wie geht es Ihnen heute? >> Gut, danke. Ich bin etwas müde, weil ich bis {time} gearbeitet habe.
Schön, Sie wiederzusehen. Wie war Ihr {day}? >> Sehr schön, ich habe {name} in {city} getroffen.
Willkommen zurück! Können wir anfangen? >> Ja, gern. Ich habe noch {number} Minuten, bis mein Bus kommt.
Hallo, haben Sie die Hausaufgaben vom {day} gemacht? >> Ja, ich habe {number} Sätze geschrieben, aber bei den Verben bin ich unsicher.

# Zwischendurch
Können Sie das etwas langsamer wiederholen? >> Natürlich, ich spreche jetzt etwas langsamer.
Bilden Sie den Satz bitte im Perfekt. >> Gestern habe ich dasselbe gemacht, aber mit {name}.
Kennen Sie noch ein anderes Wort dafür? >> Nein, das habe ich vergessen. Können Sie es bitte aufschreiben?
Achtung, wir sagen: „Ich bin seit {number} Tagen hier.“ >> Ach ja! Ich bin seit {number} Tagen hier.
Können Sie daraus eine Frage machen? >> Machen Sie das jeden Tag oder nur am {day}?

# Verabschiedung
Das war es für heute. Bis {day}! >> Vielen Dank, bis {day}. Tschüss!
Ausgezeichnet. Lernen Sie bitte die {number} neuen Wörter. >> Das mache ich. Danke für die Stunde!
Machen wir am {day} um {time} weiter? >> Ja, {day} um {time} passt mir sehr gut.

# Im Restaurant
@dish: den gegrillten Lachs | die Gemüsesuppe | das Wiener Schnitzel | den gemischten Salat | die Käsespätzle | den Rinderbraten | die Maultaschen
@drink: ein Glas Rotwein | ein Mineralwasser | einen Orangensaft | ein Kännchen Tee | ein kleines Bier | eine Apfelschorle
@dessert: den Apfelstrudel | die Schokoladentorte | ein Vanilleeis | die Rote Grütze | den Käsekuchen
Guten Abend, haben Sie reserviert? >> Ja, einen Tisch für {number} Personen um {time}, auf den Namen {name}.
Was möchten Sie essen? >> Ich hätte gern {dish}, bitte, und {drink}.
Und was möchten Sie trinken? >> Ich nehme {drink}, bitte.
Haben Sie Allergien? >> Ja, ich vertrage keine Nüsse. Kann ich {dish} bestellen?
Hat es Ihnen geschmeckt? >> Es war köstlich, vor allem {dish} würde ich wieder bestellen.
Möchten Sie einen Nachtisch? >> Ja, wir nehmen {dessert} mit {number} Löffeln.
Wie bittet man höflich um die Rechnung? >> Könnten wir bitte zahlen? Wir möchten gern mit Karte bezahlen.

# Unterwegs mit der Bahn
@ticket: eine einfache Fahrkarte | eine Rückfahrkarte | eine Fahrkarte erster Klasse | ein Studententicket | ein Wochenendticket
@problem: der Zug ausgefallen ist | ich den Anschluss verpasst habe | jemand auf meinem Platz saß | der Zug eine Stunde Verspätung hatte | ich meine Fahrkarte nicht fand
Wohin möchten Sie fahren? >> Ich brauche {ticket} nach {city}, für {day} früh.
Wann fährt der nächste Zug nach {city}? >> Er fährt um {time} von Gleis {number}.
Müssen Sie umsteigen? >> Ja, ich muss in {city} umsteigen und {number} Minuten warten.
Erzählen Sie von Ihrer letzten Reise. >> Ich bin mit {name} nach {city} gefahren. Wir kamen spät an, weil {problem}.
Möchten Sie am Fenster sitzen? >> Ja, gern. Die Landschaft bei {city} ist wunderschön.
Warum haben Sie den Schaffner gefragt? >> Ich habe ihn gefragt, weil {problem}.
Wie lange dauert die Fahrt nach {city}? >> Sie dauert ungefähr {number} Stunden, wenn alles pünktlich ist.

# Beim Arzt
@pain: Halsschmerzen | starke Kopfschmerzen | Rückenschmerzen | hohes Fieber | einen schlimmen Husten | Bauchschmerzen | einen geschwollenen Knöchel
@advice: mehr Wasser trinken | im Bett bleiben | diese Tabletten zweimal täglich nehmen | schweres Essen vermeiden | nächste Woche wiederkommen
Was fehlt Ihnen denn? >> Ich habe seit {number} Tagen {pain}.
Nehmen Sie Medikamente? >> Nur Tabletten aus der Apotheke, weil ich {pain} habe.
Wann hat das angefangen? >> Am {day}, nachdem ich aus {city} zurückgekommen war.
Was würde der Arzt sagen? >> Wenn man {pain} hat, sollte man {advice} und sich {number} Tage ausruhen.
Möchten Sie einen Termin? >> Ja, geht es am {day} um {time}?
Brauchen Sie eine Krankschreibung? >> Ja, bitte, denn ich kann bis {day} nicht arbeiten.
Was raten Sie einem Freund? >> Wenn du {pain} hast, solltest du {advice}.

# Familie und Freunde
@relative: meine ältere Schwester | meinen Großvater | meine Cousine | meinen kleinen Bruder | meine Tante | meinen besten Freund | meine Schwiegermutter | meine Nichte
@trait: sehr geduldig | eher schüchtern | immer zu spät | lustig und ehrlich | ein bisschen stur | großzügig | an allem interessiert
Erzählen Sie von jemandem aus Ihrer Familie. >> Ich möchte heute über {relative} sprechen.
Wie viele Personen sind Sie in der Familie? >> Wir sind {number} Personen, und fast alle wohnen in {city}.
Wem sehen Sie ähnlich? >> Viele sagen, ich erinnere sie an {relative}.
Was machen Sie am Wochenende? >> Am {day} besuchen wir meistens {relative} und essen um {time}.
Wie haben Sie Ihren besten Freund kennengelernt? >> Wir haben uns vor {number} Jahren in {city} kennengelernt, in einem Sprachkurs.
Wie würde {name} Sie beschreiben? >> Ich bin {trait}, das würden wohl alle sagen.
Wen rufen Sie an, wenn Sie Hilfe brauchen? >> Ich rufe {relative} an, denn wir verstehen uns sehr gut.

# Wohnungssuche
@room: eine helle Küche | zwei Schlafzimmer | einen Balkon | ein großes Wohnzimmer | einen kleinen Garten | ein neues Bad | Platz für mein Fahrrad
@fault: die Heizung nicht funktioniert | die Nachbarn so laut sind | das Fenster kaputt ist | der Aufzug nicht fährt | die Miete zu hoch ist
Was für eine Wohnung suchen Sie? >> Ich suche in {city} eine Wohnung, die {room} hat.
Wie viel Miete können Sie zahlen? >> Höchstens so viel wie jetzt in {city}, am liebsten warm.
Was fragen Sie den Vermieter zuerst? >> Ich frage, ob die Wohnung {room} hat und wann ich einziehen kann.
Was stört Sie an Ihrer Wohnung? >> Ich möchte umziehen, weil {fault}.
Wann könnten Sie die Wohnung besichtigen? >> Ich könnte am {day} um {time} kommen, zusammen mit {name}.
Wie beschweren Sie sich höflich? >> Entschuldigung, ich rufe an, weil {fault}. Könnten Sie jemanden schicken?
Beschreiben Sie Ihr Traumhaus. >> Mein Traumhaus liegt bei {city} und hat {room}.

# Arbeit und Bewerbung
@job: Krankenpfleger | Softwareentwicklerin | Buchhalter | Lehrerin | Busfahrer | Verkäuferin | Ingenieur | Journalistin
@strength: ich schnell lerne | ich gern im Team arbeite | ich drei Sprachen spreche | ich unter Druck ruhig bleibe | ich gut organisiert bin
Was machen Sie beruflich? >> Ich arbeite als {job} in einer kleinen Firma in {city}.
Warum interessiert Sie diese Stelle? >> Ich arbeite seit {number} Jahren als {job} und suche eine neue Herausforderung.
Was sind Ihre Stärken? >> Ich würde sagen, dass {strength}.
Beschreiben Sie einen normalen Arbeitstag. >> Ich fange um {time} an, und am {day} habe ich eine Besprechung mit {name}.
Wo sehen Sie sich in {number} Jahren? >> Ich möchte als {job} mehr Verantwortung haben, vielleicht in {city}.
Haben Sie schon im Ausland gearbeitet? >> Ja, ich war {number} Monate lang als {job} in {city}.
Was sagt Ihre Chefin über Sie? >> Sie sagt, dass {strength}, und da hat sie recht.

# Einkaufen
@item: einen Wintermantel | schwarze Schuhe | ein blaues Hemd | eine Regenjacke | einen warmen Pullover | eine Ledertasche | eine neue Jeans | einen Seidenschal
@reason: mir die Farbe nicht steht | ein Loch im Stoff ist | ich die falsche Größe genommen habe | ich es mir anders überlegt habe
Kann ich Ihnen helfen? >> Ja, ich suche {item} für {name}.
Welche Größe brauchen Sie? >> Ich glaube, Größe vierzig. Ich möchte gern {item} anprobieren.
Passt es Ihnen? >> Leider nicht. Ich nehme es nicht, weil {reason}.
Möchten Sie etwas umtauschen? >> Ja, ich habe am {day} {item} gekauft und möchte umtauschen, weil {reason}.
Wo kaufen Sie Ihre Kleidung? >> In {city} gibt es ein kleines Geschäft, da habe ich {item} gefunden.
Wie fragt man nach einem Rabatt? >> Wenn ich {number} Stück nehme, machen Sie mir dann einen besseren Preis?
Was haben Sie letzte Woche gekauft? >> Ich habe {item} gekauft, weil die Abende schon kühl sind.

# Wetter und Jahreszeiten
@weather: es in Strömen regnete | die Sonne herauskam | ein Gewitter aufzog | dichter Nebel herrschte | es plötzlich schneite | es eiskalt wurde
@plan: einen langen Spaziergang machen | ein Picknick machen | zu Hause bleiben und lesen | ins Museum gehen | im See schwimmen | eine Radtour machen
Wie ist das Wetter in {city}? >> Heute haben wir {number} Grad, aber am {day} soll es schöner werden.
Welche Jahreszeit mögen Sie am liebsten? >> Den Herbst, weil wir dann {plan} können.
Was machen Sie, wenn es regnet? >> Wenn es am {day} regnet, wollen wir {plan}.
Erzählen Sie von einem Tag mit schlechtem Wetter. >> Ich war mit {name} auf dem Heimweg, als {weather}.
Was haben Sie am {day} vor? >> Wenn das Wetter schön ist, wollen wir {plan}.
Ist das Klima in Ihrer Heimat anders? >> Ja, im Sommer ist es viel heißer als in {city}.
Was sagt der Wetterbericht? >> Er meldet {number} Grad und etwas Wind.

# Nach dem Weg fragen
@place: zum Rathaus | zur Apotheke | zum Hauptbahnhof | zur Post | zum Kunstmuseum | zum Schwimmbad | zur Stadtbibliothek
@turn: Gehen Sie an der Ampel links | Gehen Sie geradeaus | Nehmen Sie die zweite Straße rechts | Überqueren Sie den Platz | Gehen Sie an der Kirche vorbei
Entschuldigung, wie komme ich {place}? >> {turn}, dann sind Sie in {number} Minuten da.
Ist es weit {place}? >> Nein, es sind nur {number} Minuten zu Fuß.
Welcher Bus fährt {place}? >> Die Linie {number} fährt direkt {place}.
Wo treffen wir uns am {day}? >> Wir treffen uns um {time} bei mir und gehen dann zusammen {place}.
Was sagen Sie, wenn Sie sich verlaufen haben? >> Entschuldigung, ich habe mich verlaufen. Ich möchte {place}.
Wie erklären Sie {name} den Weg? >> {turn}, und fragen Sie dort noch einmal nach dem Weg {place}.
Gehen Sie zu Fuß oder nehmen Sie die U-Bahn? >> Zu Fuß, denn es ist nicht weit {place}.

# Freizeit und Hobbys
@hobby: Gitarre spielen | Landschaften malen | im Park laufen | Brot backen | tanzen gehen | alte Filme ansehen | Tomaten züchten | Schach spielen
@feeling: es mich entspannt | ich dabei nette Leute treffe | es mich glücklich macht | ich endlich besser werde | meine Kinder auch mitmachen
Was machen Sie in Ihrer Freizeit? >> Am liebsten möchte ich nur {hobby}, weil {feeling}.
Wie oft machen Sie das? >> Ungefähr {number} Mal im Monat, meistens am {day}.
Wann haben Sie damit angefangen? >> Vor {number} Jahren, als ich noch in {city} gewohnt habe.
Mit wem machen Sie das? >> Mit {name}. Wir treffen uns jeden {day} um {time}.
Was würden Sie gern ausprobieren? >> Ich wollte schon immer {hobby}.
Würden Sie es einem Freund empfehlen? >> Ja, ich habe {name} gezeigt, wie viel Spaß das macht.
Warum ist Ihnen das wichtig? >> Mein Beruf ist anstrengend, und ich mache das, weil {feeling}.
`);
