import { parsePhrases } from './parse.ts';

/** French lessons. The format is described in parse.ts. */
export const fr = parsePhrases(`
@level: débutant | intermédiaire | avancé
@title: {topic} | {topic} : leçon {number} | Révision : {topic} | {topic} avec {name} | Exercice : {topic}
@welcome: Thème de cette leçon : {topic}. Niveau : {level}. | Leçon {number}, niveau {level} : {topic}. | Nouvelle leçon : {topic} ({level}).
@praise: Très bien ! | Bravo ! | Exactement. | C'était presque parfait. | Quelle belle phrase ! | Je vois. | Bien, merci. | Bonne prononciation ! | Très bien ! Il a fallu {number} leçons à {name} pour ça. | Bien, vous avez retenu le mot de {day}.
@hesitation: Euh… | Voyons… | Eh bien… | Bonne question ! | Pardon, un instant… | D'accord.
@remark: Est-ce que c'est correct ? | C'est {name} qui me l'a appris. | {name} me l'a expliqué {day}. | Je l'ai entendu à {city}. | J'ai mis {number} semaines à apprendre cette phrase. | Je l'ai répétée avec {name} à {city}. | {day}, j'ai encore fait {number} fautes. | Je crois que {name} le dirait autrement.
@name: Camille | Julien | Chloé | Théo | Françoise | Zoé | monsieur Lefèvre | madame Girard | Noël | Léa
@city: Paris | Lyon | Marseille | Bordeaux | Genève | Bruxelles | Montréal | Nîmes | Toulouse | Québec
@day: lundi | mardi | mercredi | jeudi | vendredi | samedi | dimanche
@time: sept heures et demie | neuf heures moins le quart | dix heures | midi | deux heures vingt | cinq heures | huit heures du soir
@number: deux | trois | quatre | cinq | six | sept | huit | neuf | dix | onze | douze

# Bonjour
Bonjour ! Comment allez-vous aujourd'hui ? >> Je vais bien, merci. Un peu fatigué, car j'ai travaillé jusqu'à {time}.
Ravie de vous revoir. Comment s'est passé votre {day} ? >> C'était très bien, j'ai retrouvé {name} à {city}.
Vous voilà de retour ! On commence ? >> Oui, je suis prêt. J'ai {number} minutes avant mon bus.
Bonjour, avez-vous fait les devoirs de {day} ? >> Oui, j'ai écrit {number} phrases, mais j'hésite sur les verbes.

# En passant
Pouvez-vous répéter un peu plus lentement ? >> Bien sûr, je vais parler plus lentement.
Mettez cette phrase au passé, s'il vous plaît. >> Hier, j'ai fait la même chose, mais avec {name}.
Connaissez-vous un autre mot ? >> Non, je l'ai oublié. Pouvez-vous l'écrire ?
Attention, on dit « je suis ici depuis {number} jours ». >> Ah oui ! Je suis ici depuis {number} jours.
Pouvez-vous en faire une question ? >> Est-ce que vous faites ça tous les jours ou seulement le {day} ?

# Au revoir
C'est tout pour aujourd'hui. À {day} ! >> Merci beaucoup, à {day}. Au revoir !
Excellent travail. Apprenez les {number} mots nouveaux, s'il vous plaît. >> C'est promis. Merci pour la leçon !
On continue {day} à {time} ? >> Oui, {day} à {time}, c'est parfait pour moi.

# Au restaurant
@dish: le saumon grillé | la soupe à l'oignon | le bœuf bourguignon | la salade niçoise | le gratin dauphinois | la quiche lorraine | le poulet rôti | la ratatouille
@drink: un verre de vin rouge | une eau gazeuse | un jus d'orange | une carafe d'eau | une bière pression | un thé à la menthe
@dessert: la tarte aux pommes | le gâteau au chocolat | la crème brûlée | la glace à la vanille | le flan pâtissier
Bonsoir, vous avez réservé ? >> Oui, une table pour {number} personnes à {time}, au nom de {name}.
Qu'est-ce que vous désirez ? >> Je voudrais {dish}, s'il vous plaît, et {drink}.
Et comme boisson ? >> Pour moi, {drink}, s'il vous plaît.
Avez-vous des allergies ? >> Oui, je ne mange pas de noix. Est-ce que je peux prendre {dish} ?
Le repas vous a plu ? >> C'était délicieux, surtout {dish}.
Prendrez-vous un dessert ? >> Oui, nous prendrons {dessert} avec {number} cuillères.
Comment demandez-vous l'addition poliment ? >> Pourrions-nous avoir l'addition, s'il vous plaît ? Nous payons par carte.

# En voyage
@ticket: un aller simple | un aller-retour | un billet de première classe | un billet à tarif étudiant | un forfait week-end
@problem: le train a été annulé | j'ai manqué la correspondance | quelqu'un était assis à ma place | le train avait une heure de retard | j'ai perdu mon billet
Où voulez-vous aller ? >> Je voudrais {ticket} pour {city}, {day} matin.
À quelle heure part le prochain train pour {city} ? >> Il part à {time}, voie {number}.
Faut-il changer de train ? >> Oui, il faut changer à {city} et attendre {number} minutes.
Racontez-moi votre dernier voyage. >> Je suis allé à {city} avec {name}, et {problem}.
Préférez-vous une place côté fenêtre ? >> Oui, car j'aime regarder le paysage près de {city}.
Qu'avez-vous fait quand il y a eu un problème ? >> Comme {problem}, j'ai demandé de l'aide au contrôleur.
Combien de temps dure le trajet jusqu'à {city} ? >> Il dure environ {number} heures, s'il n'y a pas de retard.

# Chez le médecin
@pain: mal à la gorge | très mal à la tête | mal au dos | beaucoup de fièvre | une mauvaise toux | mal au ventre | la cheville enflée
@advice: boire plus d'eau | rester au lit | prendre ces comprimés deux fois par jour | éviter les repas lourds | mettre de la glace | revenir la semaine prochaine
Qu'est-ce qui ne va pas ? >> J'ai {pain} depuis {number} jours.
Prenez-vous des médicaments ? >> Juste des comprimés de la pharmacie, parce que j'ai {pain}.
Quand est-ce que ça a commencé ? >> Ça a commencé {day}, à mon retour de {city}.
Que dirait le médecin ? >> Si vous avez {pain}, vous devez {advice} et vous reposer {number} jours.
Voulez-vous prendre rendez-vous ? >> Oui, est-ce que {day} à {time} est possible ?
Avez-vous besoin d'un arrêt de travail ? >> Oui, s'il vous plaît, car je ne peux pas travailler avant {day}.
Quel conseil donnez-vous à un ami ? >> Si tu as {pain}, tu devrais {advice}.

# La famille et les amis
@relative: ma grande sœur | mon grand-père | ma cousine | mon petit frère | ma tante | mon meilleur ami | ma belle-mère | ma nièce
@trait: très patient | plutôt timide | toujours en retard | drôle et sincère | un peu têtu | généreux | curieux de tout
Parlez-moi de quelqu'un de votre famille. >> Je voudrais vous parler de {relative}, qui habite à {city}.
Vous êtes combien dans votre famille ? >> Nous sommes {number}, et presque tous à {city}.
À qui ressemblez-vous ? >> Tout le monde dit que je ressemble à {relative}.
Que faites-vous le week-end ? >> Le {day}, nous déjeunons souvent avec {relative}.
Comment avez-vous rencontré votre meilleur ami ? >> Nous nous sommes rencontrés à {city} il y a {number} ans, dans un cours de langue.
Comment vous décririez-vous ? >> Mes amis me trouvent {trait}, et je crois que c'est vrai.
Qui appelez-vous quand vous avez besoin d'aide ? >> J'appelle {relative}, car nous nous comprenons très bien.

# Chercher un appartement
@room: une cuisine lumineuse | deux chambres | un balcon | un grand salon | un petit jardin | une salle de bains neuve | de la place pour mon vélo
@fault: le chauffage ne marche pas | les voisins font trop de bruit | la fenêtre est cassée | l'ascenseur est en panne | le loyer est trop élevé
Quel genre d'appartement cherchez-vous ? >> Je cherche un appartement à {city} avec {room}.
Quel loyer pouvez-vous payer ? >> Pas plus que ce que je paie aujourd'hui à {city}, charges comprises.
Que demandez-vous d'abord au propriétaire ? >> Je demande s'il y a {room} et quand je peux emménager.
Quel est le problème avec votre logement ? >> Je veux déménager, car {fault}.
Quand pourriez-vous visiter l'appartement ? >> Je pourrais venir {day} à {time}, avec {name}.
Comment vous plaignez-vous poliment ? >> Excusez-moi, je vous appelle car {fault}. Pourriez-vous envoyer quelqu'un ?
Décrivez votre maison idéale. >> Dans ma maison idéale, il y a {room}, et {city} n'est pas loin.

# Le travail et les entretiens
@job: infirmier | développeuse | comptable | professeur | conductrice de bus | vendeur | architecte | journaliste
@strength: j'apprends vite | j'aime travailler en équipe | je parle trois langues | je reste calme sous pression | je suis bien organisé
Que faites-vous dans la vie ? >> Je travaille comme {job} dans une petite entreprise à {city}.
Pourquoi ce poste vous intéresse-t-il ? >> Je travaille comme {job} depuis {number} ans et je cherche un nouveau défi.
Quels sont vos points forts ? >> Je dirais que {strength}.
Décrivez une journée de travail normale. >> Je commence à {time}, et le {day} j'ai une réunion avec {name}.
Où vous voyez-vous dans {number} ans ? >> J'espère travailler comme {job} avec plus de responsabilités, peut-être à {city}.
Avez-vous déjà travaillé à l'étranger ? >> Oui, j'ai travaillé {number} mois à {city} comme {job}.
Que dirait votre responsable de vous ? >> Elle dirait que {strength}, et elle aurait raison.

# Les achats
@item: un manteau d'hiver | une paire de chaussures noires | une chemise bleue | un imperméable | un pull en laine | un sac en cuir | un jean | une écharpe en soie
@reason: c'est trop serré | la couleur ne me va pas | il y a un trou | je me suis trompé de taille | j'ai changé d'avis
Je peux vous aider ? >> Oui, je cherche {item} pour {name}.
Quelle taille faites-vous ? >> Du quarante, je crois. Je voudrais essayer {item}.
Est-ce que ça vous va ? >> Pas vraiment : {reason}. Vous avez un autre modèle ?
Vous voulez rendre un article ? >> Oui, j'ai acheté {item} {day}, mais {reason}.
Où achetez-vous vos vêtements ? >> Il y a une petite boutique à {city} où j'ai trouvé {item}.
Comment demandez-vous une réduction ? >> Si j'en prends {number}, est-ce que vous me faites un meilleur prix ?
Qu'avez-vous acheté la semaine dernière ? >> J'ai acheté {item}, car les soirées sont déjà fraîches.

# La météo et les saisons
@weather: il pleuvait à verse | le soleil est sorti | il faisait un froid de canard | il y avait un épais brouillard | un orage a éclaté | il a neigé toute la nuit
@plan: faire une longue promenade | pique-niquer | rester à la maison et lire | visiter le musée | nager dans la mer | faire du vélo
Quel temps fait-il à {city} ? >> {number} degrés ce matin, et {day} {weather}.
Quelle saison préférez-vous ? >> Je préfère l'automne, car on peut {plan}.
Que faites-vous quand il pleut ? >> Quand il pleut à {city}, nous aimons {plan}.
Racontez une journée de mauvais temps. >> Je rentrais à pied avec {name}, et {weather}.
Qu'est-ce que vous faites {day} ? >> S'il fait beau, nous allons {plan}.
Le climat est-il différent dans votre pays ? >> Oui, en été il fait beaucoup plus chaud qu'à {city}.
Que dit la météo ? >> Elle annonce {number} degrés et un peu de vent.

# Demander son chemin
@place: la mairie | la pharmacie | la gare centrale | la poste | la piscine | la bibliothèque | la cathédrale
@turn: tournez à gauche au feu | allez tout droit | prenez la deuxième rue à droite | traversez la place | passez devant l'église
Pardon, où se trouve {place} ? >> C'est facile : {turn}, et vous y êtes en {number} minutes.
Est-ce que {place} est loin d'ici ? >> Non, {place} est à {number} minutes à pied.
Quel bus va vers {place} ? >> Prenez le bus numéro {number} et descendez devant {place}.
Où est-ce qu'on se retrouve {day} ? >> Retrouvons-nous devant {place} à {time}.
Que dites-vous si vous êtes perdu ? >> Excusez-moi, je suis perdu. Je cherche {place}.
Expliquez le chemin à {name}. >> D'abord {turn}, et {place} sera en face de vous.
Vous y allez à pied ou en métro ? >> À pied, car de chez moi on voit déjà {place}.

# Les loisirs
@hobby: jouer de la guitare | peindre des paysages | courir dans le parc | faire du pain | danser le tango | regarder de vieux films | cultiver des tomates | jouer aux échecs
@feeling: ça me détend | je rencontre des gens passionnants | ça me rend heureux | je fais enfin des progrès | mes enfants aiment ça aussi
Que faites-vous pendant votre temps libre ? >> J'aime {hobby}, car {feeling}.
Vous le faites souvent ? >> Environ {number} fois par mois, en général le {day}.
Quand avez-vous commencé ? >> J'ai commencé à {hobby} il y a {number} ans, quand je vivais à {city}.
Avec qui le faites-vous ? >> Avec {name}. On se retrouve le {day} à {time}.
Qu'est-ce que vous aimeriez essayer ? >> J'ai toujours eu envie de {hobby}.
Le conseilleriez-vous à un ami ? >> Oui, j'ai déjà appris à {name} à {hobby}.
Pourquoi est-ce important pour vous ? >> Mon travail est stressant, et là {feeling}.
`);
